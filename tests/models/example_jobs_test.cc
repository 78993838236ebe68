// Every job file that we ship passes every check that needs no data.
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/file_system.h"
#include "common/base/text.h"
#include "common/data/job_check.h"
#include "common/data/job_file.h"
#include "models/model_config_check.h"
#include "tests/support/memory_file_system.h"

namespace antiphon {
namespace {

using ::testing::IsEmpty;
using ::testing::Not;

constexpr uint64_t kMaxBytes = 1 << 20;

std::vector<std::string> Messages(const std::vector<FieldError>& errors) {
  std::vector<std::string> messages;
  for (const FieldError& error : errors) {
    messages.push_back(error.path + ": " + error.message);
  }
  return messages;
}

void ExpectGoodJob(FileSystem& fs, const std::string& path) {
  SCOPED_TRACE(path);
  const StatusOr<JobFile> file = LoadJob(fs, path, {});
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(Messages(CheckJob(file->job)), IsEmpty());
  EXPECT_THAT(Messages(CheckModelConfig(file->job)), IsEmpty());
}

std::vector<std::string> Find(const std::string& pattern) {
  PosixFileSystem fs;
  return fs.Glob(ANTIPHON_SOURCE_DIR + pattern).value();
}

TEST(ExampleJobsTest, PassEveryCheck) {
  PosixFileSystem fs;
  const std::vector<std::string> jobs = Find("/examples/*/job.textproto");
  const std::vector<std::string> models = Find("/examples/census/*.textproto");

  ASSERT_THAT(jobs, Not(IsEmpty()));
  ASSERT_THAT(models, Not(IsEmpty()));
  for (const std::string& path : jobs) {
    ExpectGoodJob(fs, path);
  }
  for (const std::string& path : models) {
    ExpectGoodJob(fs, path);
  }
}

// examples/live/triplets/run leaves marked lines out.
TEST(ExampleJobsTest, PassEveryCheckWithoutTheTripletHeadAndWithoutVectors) {
  PosixFileSystem fs;
  MemoryFileSystem made;
  ASSERT_TRUE(made.MakeDirectories("/made").ok());
  const std::string job =
      ReadWholeFile(fs, ANTIPHON_SOURCE_DIR "/examples/live/triplets/job.textproto", kMaxBytes)
          .value();
  const auto without = [](const std::string& text, const std::string& mark) {
    std::string kept;
    for (const std::string_view line : Split(text, "\n")) {
      kept += line.ends_with("# " + mark) ? "" : std::string(line) + "\n";
    }
    EXPECT_LT(kept.size(), text.size()) << mark;
    return kept;
  };
  const std::string headless = without(job, "triplet");
  const std::string ids = without(headless, "vectors");

  ASSERT_TRUE(WriteFileAtomically(made, "/made/job.textproto", job).ok());
  ASSERT_TRUE(WriteFileAtomically(made, "/made/headless.textproto", headless).ok());
  ASSERT_TRUE(WriteFileAtomically(made, "/made/ids.textproto", ids).ok());
  for (const char* name : {"job", "headless", "ids"}) {
    ExpectGoodJob(made, std::string("/made/") + name + ".textproto");
  }
}

// As examples/*/run puts them together: a line with a mark stays where the model names what the
// mark says, or where history is asked for.
std::string PutTogether(const std::string& data, const std::string& model, bool history) {
  const std::string all = data + model;
  std::string job;
  for (const std::string_view line : Split(all, "\n")) {
    const size_t at = line.rfind("  # ");
    const std::string mark(at == std::string_view::npos ? "" : line.substr(at + 4));
    const bool wanted = mark == "history" ? history : model.find("\"" + mark) != std::string::npos;
    if (mark.empty() || at == 0 || wanted) {
      job += std::string(line) + "\n";
    }
  }
  return job;
}

TEST(ExampleJobsTest, PassEveryCheckWhenMadeOfDataAndModel) {
  PosixFileSystem fs;
  MemoryFileSystem made;
  ASSERT_TRUE(made.MakeDirectories("/made").ok());
  const std::vector<std::string> models = Find("/examples/*/models/*.textproto");
  ASSERT_THAT(models, Not(IsEmpty()));

  for (const std::string& path : models) {
    const size_t folder = path.rfind("/models/");
    const std::string model = ReadWholeFile(fs, path, kMaxBytes).value();
    const std::string data =
        ReadWholeFile(fs, path.substr(0, folder) + "/data.textproto", kMaxBytes).value();
    const bool reads_history = model.find("# history") != std::string::npos;
    for (int history = 0; history <= int{reads_history}; ++history) {
      const std::string name = "/made" + path.substr(folder + std::strlen("/models"));
      ASSERT_TRUE(WriteFileAtomically(made, name, PutTogether(data, model, history == 1)).ok());
      ExpectGoodJob(made, name);
    }
  }
}

}  // namespace
}  // namespace antiphon
