// Every job file that we ship passes every check that needs no data.
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/file_system.h"
#include "common/data/job_check.h"
#include "common/data/job_file.h"
#include "models/model_config_check.h"

namespace antiphon {
namespace {

using ::testing::IsEmpty;
using ::testing::Not;

std::vector<std::string> Messages(const std::vector<FieldError>& errors) {
  std::vector<std::string> messages;
  for (const FieldError& error : errors) {
    messages.push_back(error.path + ": " + error.message);
  }
  return messages;
}

TEST(ExampleJobsTest, PassEveryCheck) {
  PosixFileSystem fs;

  const auto jobs = fs.Glob(ANTIPHON_SOURCE_DIR "/examples/*/*.textproto");

  ASSERT_TRUE(jobs.ok()) << jobs.status();
  ASSERT_THAT(*jobs, Not(IsEmpty()));
  for (const std::string& path : *jobs) {
    SCOPED_TRACE(path);
    const StatusOr<JobFile> file = LoadJob(fs, path, {});
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_THAT(Messages(CheckJob(file->job)), IsEmpty());
    EXPECT_THAT(Messages(CheckModelConfig(file->job)), IsEmpty());
  }
}

}  // namespace
}  // namespace antiphon
