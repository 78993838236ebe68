// Every job file that we ship passes every check that needs no data.
#include <cstring>
#include <set>
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

// What stands behind the line's last "  # "; empty without it.
std::string MarkOf(std::string_view line) {
  const size_t at = line.rfind("  # ");
  return std::string(at == std::string_view::npos || at == 0 ? "" : line.substr(at + 4));
}

// As examples/*/run puts them together: lines that are marked stay when their mark is among these.
std::string PutTogether(const std::string& data, const std::string& model,
                        const std::set<std::string>& marks) {
  const std::string all = data + model;
  std::string job;
  for (const std::string_view line : Split(all, "\n")) {
    if (MarkOf(line).empty() || marks.contains(MarkOf(line))) {
      job += std::string(line) + "\n";
    }
  }
  return job;
}

TEST(ExampleJobsTest, PassEveryCheckWithoutTheTripletHeadAndWithoutVectors) {
  PosixFileSystem fs;
  MemoryFileSystem made;
  ASSERT_TRUE(made.MakeDirectories("/made").ok());
  const std::string job =
      ReadWholeFile(fs, ANTIPHON_SOURCE_DIR "/examples/live/triplets/job.textproto", kMaxBytes)
          .value();

  for (const std::set<std::string>& marks :
       {std::set<std::string>{"vectors", "triplet"}, {"vectors"}, {}}) {
    const std::string name = "/made/" + std::to_string(marks.size()) + ".textproto";
    ASSERT_TRUE(WriteFileAtomically(made, name, PutTogether("", job, marks)).ok());
    ExpectGoodJob(made, name);
  }
}

// The sets of marks that examples/kuairand/run and examples/live/run know for this model.
std::vector<std::set<std::string>> MarksOf(const std::string& model) {
  const auto has = [&model](const std::string& text) {
    return model.find(text) != std::string::npos;
  };
  std::set<std::string> usual = {"click", "long_view", "like", "tasks"};
  for (const std::string mark : {"scene", "prior"}) {
    if (has("\"" + mark))
      usual.insert(mark);
  }
  std::vector<std::set<std::string>> all = {usual};
  if (has("  # weighted")) {
    all.insert(all.end(), {{"click", "long_view", "like"},
                           {"scene", "like"},
                           {"scene", "samples"},
                           {"scene", "click", "long_view", "weighted"}});
  }
  if (has("  # clicked")) {
    all.insert(all.end(), {{"tasks"}, {"scene", "clicked"}});
  }
  for (const std::string mark : {"history", "fm"}) {
    if (has("  # " + mark)) {
      all.push_back(usual);
      all.back().insert(mark);
    }
  }
  return all;
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
    for (const std::set<std::string>& marks : MarksOf(model)) {
      const std::string name = "/made" + path.substr(folder + std::strlen("/models"));
      ASSERT_TRUE(WriteFileAtomically(made, name, PutTogether(data, model, marks)).ok());
      ExpectGoodJob(made, name);
    }
  }
}

}  // namespace
}  // namespace antiphon
