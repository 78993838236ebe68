#include "stream/data_plan.h"

#include <cmath>

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "common/data/job_defaults.h"
#include "tests/stream/packed_text.h"
#include "tests/support/memory_file_system.h"

namespace antiphon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class DataPlanTest : public ::testing::Test {
 protected:
  DataPlanTest() {
    CHECK(fs_.MakeDirectories("/job/data").ok());
    SetJob("");
  }

  void SetJob(const std::string& more) {
    job_.Clear();
    CHECK(google::protobuf::TextFormat::ParseFromString(R"(
      train_input_path: "data/train*.csv"
      data_config {
        input_fields { input_name: "x" }
        input_fields { input_name: "color" default_val: "none" }
        input_fields { input_name: "click" }
        label_fields: "click" partition_size: 2
      }
      feature_config {
        features { input_names: "x" feature_type: RawFeature normalizers: MIN_MAX }
        features { input_names: "color" vocab_from_data: true embedding_dim: 2 }
      }
    )" + more,
                                                        &job_));
    FillDefaults(job_);
  }

  DataPlan Plan() {
    StatusOr<DataPlan> plan = PlanData(job_, "/job", fs_);
    CHECK(plan.ok()) << plan.status();
    return std::move(plan).value();
  }

  std::string ErrorOf() { return PlanData(job_, "/job", fs_).status().message(); }

  // "stage kind path begin-end@offset"
  static std::vector<std::string> Describe(const DataPlan& plan) {
    std::vector<std::string> lines;
    for (const Partition& partition : plan.partitions) {
      lines.push_back(
          std::to_string(partition.stage()) + " " + Partition::Kind_Name(partition.kind()) + " " +
          partition.path() + " " + std::to_string(partition.begin_record()) + "-" +
          std::to_string(partition.end_record()) +
          (partition.has_begin_offset() ? "@" + std::to_string(partition.begin_offset()) : ""));
    }
    return lines;
  }

  MemoryFileSystem fs_;
  Job job_;
};

TEST_F(DataPlanTest, CutsFilesIntoPartitionsOfEveryEpoch) {
  WriteFile(fs_, "/job/data/train1.csv", "1,a,0\n2,b,1\n3,a,0\n");
  WriteFile(fs_, "/job/data/train2.csv", Gzip("4,c,1\n"));
  WriteFile(fs_, "/job/test.csv", "1,a,0\n");
  job_.add_eval_input_path("test.csv");
  job_.mutable_data_config()->set_num_epochs(2);

  const DataPlan plan = Plan();

  EXPECT_EQ(plan.train_records, 4U);
  EXPECT_EQ(plan.eval_records, 1U);
  EXPECT_THAT(Describe(plan),
              ElementsAre("0 TRAIN data/train1.csv 0-2@0", "0 TRAIN data/train1.csv 2-3@12",
                          "0 TRAIN data/train2.csv 0-1", "1 EVAL test.csv 0-1@0",
                          "2 TRAIN data/train1.csv 0-2@0", "2 TRAIN data/train1.csv 2-3@12",
                          "2 TRAIN data/train2.csv 0-1", "3 EVAL test.csv 0-1@0"));
}

TEST_F(DataPlanTest, CutsBetweenRequests) {
  WriteFile(fs_, "/job/data/train1.csv", "1,a,0\n2,b,1\n3,b,0\n4,b,0\n5,c,0\n6,d,0\n7,d,0\n");
  job_.mutable_data_config()->set_request_field("color");

  EXPECT_THAT(Describe(Plan()),
              ElementsAre("0 TRAIN data/train1.csv 0-4@0", "0 TRAIN data/train1.csv 4-7@24"));
}

TEST_F(DataPlanTest, EvaluatesWhenTheJobSaysSo) {
  WriteFile(fs_, "/job/data/train1.csv", "1,a,0\n");
  WriteFile(fs_, "/job/test.csv", "1,a,0\n");
  job_.add_eval_input_path("test.csv");
  job_.mutable_data_config()->set_num_epochs(3);
  job_.mutable_eval_config()->set_when(EvalConfig::AT_END);
  EXPECT_EQ(Plan().partitions.size(), 4U);
  EXPECT_EQ(Plan().partitions.back().stage(), 5U);

  job_.mutable_eval_config()->set_when(EvalConfig::NEVER);
  EXPECT_EQ(Plan().partitions.size(), 3U);
}

TEST_F(DataPlanTest, FitsOnTrainingRowsOnly) {
  WriteFile(fs_, "/job/data/train1.csv", "2,red,0\n4,,1\nbad,blue,0\n1,2\n9,red,0\n");
  WriteFile(fs_, "/job/test.csv", "99,green,0\n");
  job_.add_eval_input_path("test.csv");

  const DataPlan plan = Plan();

  const FeatureStatistics& x = plan.features[0];
  EXPECT_EQ(x.feature_name(), "x");
  EXPECT_THAT(x.min_val(), ElementsAre(2));
  EXPECT_THAT(x.max_val(), ElementsAre(9));
  EXPECT_THAT(x.mean_val(), ElementsAre(5));
  EXPECT_NEAR(x.stddev_val(0), std::sqrt(26.0 / 3), 1e-12);
  EXPECT_THAT(plan.features[1].vocabulary(), ElementsAre("red", "none", "blue"));
}

TEST_F(DataPlanTest, FitsWhatTheNormalizersBeforeLeave) {
  WriteFile(fs_, "/job/data/train1.csv", "0 1,a,0\n3 1,a,0\n");
  FeatureConfig& x = *job_.mutable_feature_config()->mutable_features(0);
  x.set_raw_input_dim(2);
  x.set_separator(" ");
  x.clear_normalizers();
  x.add_normalizers(FeatureConfig::LOG1P);
  x.add_normalizers(FeatureConfig::MIN_MAX);

  const DataPlan plan = Plan();

  EXPECT_THAT(plan.features[0].max_val(), ElementsAre(std::log1p(3.0), std::log1p(1.0)));
}

TEST_F(DataPlanTest, CarriesVocabularyFiles) {
  WriteFile(fs_, "/job/data/train1.csv", "1,a,0\n");
  WriteFile(fs_, "/job/colors.txt", "red\r\nblue\n\n");
  job_.mutable_feature_config()->mutable_features(1)->clear_vocab_from_data();
  job_.mutable_feature_config()->mutable_features(1)->set_vocab_file("colors.txt");

  EXPECT_THAT(Plan().features[1].vocabulary(), ElementsAre("red", "blue"));
}

TEST_F(DataPlanTest, PlansTheSameForTheSameDataInAnotherFolder) {
  const std::string text = "1,a,0\n2,b,1\n3,a,0\n";
  WriteFile(fs_, "/job/data/train1.csv", text);
  CHECK(fs_.MakeDirectories("/other/data").ok());
  WriteFile(fs_, "/other/data/train1.csv", text);

  const StatusOr<DataPlan> other = PlanData(job_, "/other", fs_);

  ASSERT_TRUE(other.ok());
  EXPECT_EQ(Describe(*other), Describe(Plan()));
}

TEST_F(DataPlanTest, SaysWhatIsWrongWithTheData) {
  EXPECT_THAT(ErrorOf(),
              HasSubstr("train_input_path[0]: no file matches \"/job/data/train*.csv\""));
  WriteFile(fs_, "/job/data/train1.csv", "\n\n");
  EXPECT_THAT(ErrorOf(), HasSubstr("/job/data/train1.csv: has no records"));
  WriteFile(fs_, "/job/data/train1.csv", "x,a,0\n");
  EXPECT_THAT(ErrorOf(), HasSubstr("feature \"x\": no row of the training data has a value"));
  job_.mutable_data_config()->set_with_header(true);
  WriteFile(fs_, "/job/data/train1.csv", "x,colour,click\n1,a,0\n");
  EXPECT_THAT(ErrorOf(), HasSubstr("did you mean \"colour\"?"));
  job_.set_train_input_path(0, "data");
  EXPECT_THAT(ErrorOf(), HasSubstr("is a folder"));
}

TEST_F(DataPlanTest, RefusesMorePartitionsThanAnybodyCanKeep) {
  WriteFile(fs_, "/job/data/train1.csv", "1,a,0\n2,b,1\n3,a,0\n");
  job_.mutable_data_config()->set_num_epochs(600'000);

  EXPECT_THAT(ErrorOf(), HasSubstr("data_config.partition_size: 2 cuts the data"));
}

}  // namespace
}  // namespace antiphon
