// The quickstart's job and the files of ps_simulate have to agree, though neither knows the other.
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/file_system.h"
#include "common/base/text.h"
#include "common/data/job_check.h"
#include "common/data/job_file.h"
#include "simulation/culture.h"
#include "simulation/sample_csv.h"
#include "simulation/scene.h"
#include "simulation/task.h"

namespace antiphon {
namespace {

using testing::Contains;
using testing::ElementsAreArray;
using testing::IsEmpty;

class QuickstartJobTest : public testing::Test {
 protected:
  QuickstartJobTest() {
    PosixFileSystem fs;
    StatusOr<JobFile> loaded =
        LoadJob(fs, std::string(ANTIPHON_SOURCE_DIR) + "/examples/quickstart/job.textproto", {});
    CHECK(loaded.ok()) << loaded.status();
    job_ = loaded->job;
  }

  Job job_;
};

TEST_F(QuickstartJobTest, PassesItsCheck) {
  std::vector<std::string> errors;
  for (const FieldError& error : CheckJob(job_)) {
    errors.push_back(error.path + ": " + error.message);
  }

  EXPECT_THAT(errors, IsEmpty());
}

TEST_F(QuickstartJobTest, ReadsColumnsThatTheSamplesHave) {
  const std::string header(Trim(SampleCsv::Header()));
  const std::vector<std::string_view> columns = Split(header, job_.data_config().separator());

  for (const InputField& field : job_.data_config().input_fields()) {
    EXPECT_THAT(columns, Contains(field.input_name()));
  }
}

TEST_F(QuickstartJobTest, HasTheScenesAndTasksOfThePlatform) {
  std::vector<std::string> scenes;
  for (const Scene scene : kScenes) {
    scenes.emplace_back(SceneName(scene));
  }
  std::vector<std::string> tasks;
  for (const Task task : kTasks) {
    tasks.emplace_back(TaskName(task));
  }

  EXPECT_THAT(job_.data_config().scenes(), ElementsAreArray(scenes));
  EXPECT_THAT(job_.data_config().label_fields(), ElementsAreArray(tasks));
}

TEST_F(QuickstartJobTest, VectorsAreAsWideAsTheContent) {
  int vectors = 0;
  for (const FeatureConfig& feature : job_.feature_config().features()) {
    if (feature.raw_input_dim() > 1) {
      EXPECT_EQ(feature.raw_input_dim(), static_cast<uint32_t>(kVectorDims));
      ++vectors;
    }
  }

  EXPECT_EQ(vectors, 2);
}

}  // namespace
}  // namespace antiphon
