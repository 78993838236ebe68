#include "models/watch_check.h"

#include <string>

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "models/model_config_check.h"
#include "tests/models/sample_job.h"

namespace antiphon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// The sample job (tasks "click" and "long"), watched as `text` says.
std::vector<std::string> ErrorsOf(const std::string& text) {
  Job job = SampleJob(MmoeText());
  Job watch;
  CHECK(google::protobuf::TextFormat::ParseFromString(text, &watch)) << text;
  job.MergeFrom(watch);
  FieldChecks checks;
  CheckWatch(job, checks);
  std::vector<std::string> errors;
  for (const FieldError& error : checks.Take()) {
    errors.push_back(error.path + ": " + error.message);
  }
  return errors;
}

TEST(WatchCheckTest, AcceptsAWatchedJob) {
  EXPECT_THAT(
      ErrorsOf("watch { window_samples: 1000 half_life_samples: 100 "
               "drift { tower_name: 'click' max_auc_drop: 0.1 } } "
               "promotion { tower_name: 'click' min_auc: 0.6 min_pcoc: 0.9 max_pcoc: 1.1 }"),
      IsEmpty());
}

TEST(WatchCheckTest, WindowsAreOfSamplesOrOfEventTime) {
  EXPECT_THAT(ErrorsOf("watch { window_samples: 1000 window_seconds: 60 } "
                       "data_config { time_field: 'hour' }"),
              ElementsAre(HasSubstr("watch.window_seconds: a window is so many samples or")));
  EXPECT_THAT(ErrorsOf("watch { window_seconds: 60 }"),
              ElementsAre(HasSubstr("watch.window_seconds: needs data_config.time_field")));
  EXPECT_THAT(ErrorsOf("watch { drift { tower_name: 'click' min_pcoc: 1 } }"),
              ElementsAre(HasSubstr("watch.drift: looks at windows")));
  EXPECT_THAT(ErrorsOf("watch { keep_windows: 0 half_life_samples: 0 }"),
              ElementsAre(HasSubstr("watch.keep_windows: got 0"),
                          HasSubstr("watch.half_life_samples: got 0")));
}

TEST(WatchCheckTest, AlarmsAndConditionsHaveATaskAndABound) {
  EXPECT_THAT(ErrorsOf("watch { window_samples: 10 drift { tower_name: 'clik' min_pcoc: 1 } }"),
              ElementsAre(HasSubstr("watch.drift[0].tower_name")));
  EXPECT_THAT(ErrorsOf("watch { window_samples: 10 drift { tower_name: 'click' } }"),
              ElementsAre(HasSubstr("watch.drift[0]: has no bound")));
  EXPECT_THAT(ErrorsOf("promotion { tower_name: 'click' }"),
              ElementsAre(HasSubstr("promotion[0]: has no bound")));
  EXPECT_THAT(
      ErrorsOf("promotion { tower_name: 'click' min_pcoc: 2 max_pcoc: 1 }"),
      ElementsAre(HasSubstr("promotion[0].max_pcoc: got 1, expected at least min_pcoc, 2")));
  EXPECT_THAT(ErrorsOf("promotion { tower_name: 'click' min_auc: 1.5 }"),
              ElementsAre(HasSubstr("promotion[0].min_auc: got 1.5")));
}

}  // namespace
}  // namespace antiphon
