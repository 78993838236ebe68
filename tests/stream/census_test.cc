// Reads the census data where it is at hand: $ANTIPHON_DATA, or data/ or ../shared/data beside the
// sources. The numbers are those of the data set's description.
#include <algorithm>
#include <cstdlib>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/data/feature_columns.h"
#include "common/data/job_check.h"
#include "common/data/job_defaults.h"
#include "stream/data_plan.h"
#include "stream/file_source.h"

namespace antiphon {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int kColumns = 42;
constexpr int kMaritalStatus = 7;
constexpr int kWeight = 24;
constexpr int kIncome = 41;

std::string FindCensus(FileSystem& fs) {
  const char* given = std::getenv("ANTIPHON_DATA");
  const std::string source = ANTIPHON_SOURCE_DIR;
  for (const std::string& folder : {given == nullptr ? source + "/data" : std::string(given),
                                    source + "/data", source + "/../shared/data"}) {
    if (fs.Exists(folder + "/census-income-kdd/census-income.data.xz")) {
      return folder + "/census-income-kdd";
    }
  }
  return "";
}

// 32 categorical columns with a vocabulary, 7 numeric ones, both tasks.
Job CensusJob() {
  Job job;
  job.add_train_input_path("census-income.data.xz");
  job.add_eval_input_path("census-income.test.xz");
  job.mutable_train_config()->add_optimizer_config()->mutable_adagrad_optimizer();
  DataConfig& data = *job.mutable_data_config();
  data.set_separator(", ");
  Label& income = *data.add_labels();
  income.set_label_name("income");
  income.set_expression("c41 == \"50000+.\"");
  Label& married = *data.add_labels();
  married.set_label_name("never_married");
  married.set_expression("c7 == \"Never married\"");
  const std::set<int> numeric = {0, 5, 16, 17, 18, 30, 39};
  for (int i = 0; i < kColumns; ++i) {
    const std::string name = "c" + std::to_string(i);
    data.add_input_fields()->set_input_name(name);
    if (i == kMaritalStatus || i == kWeight || i == kIncome) {
      continue;
    }
    FeatureConfig& feature = *job.mutable_feature_config()->add_features();
    feature.add_input_names(name);
    if (numeric.contains(i)) {
      feature.set_feature_type(FeatureConfig::RawFeature);
      feature.add_normalizers(FeatureConfig::MIN_MAX);
    } else {
      feature.set_vocab_from_data(true);
      feature.set_embedding_dim(4);
    }
  }
  FillDefaults(job);
  return job;
}

class CensusTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = FindCensus(fs_);
    if (folder_.empty()) {
      GTEST_SKIP() << "no census data; set ANTIPHON_DATA or run examples/census/fetch";
    }
  }

  PosixFileSystem fs_;
  std::string folder_;
};

TEST_F(CensusTest, HasTheSizesOfItsDescription) {
  const Job job = CensusJob();
  ASSERT_THAT(CheckJob(job), IsEmpty());

  const StatusOr<DataPlan> plan = PlanData(job, folder_, fs_);

  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->train_records, 199523U);
  EXPECT_EQ(plan->eval_records, 99762U);
  int values = 0;
  for (const FeatureStatistics& statistics : plan->features) {
    values += statistics.vocabulary_size();
  }
  // A count of the distinct texts by other means gives 496 too. With a row for unseen values in
  // each of the 32 tables, which here read no row at all, others count 528.
  EXPECT_EQ(values, 496);
  EXPECT_THAT(plan->features[0].min_val(), ElementsAre(0));
  EXPECT_THAT(plan->features[0].max_val(), ElementsAre(90));

  TrainingPlan training;
  for (const FeatureStatistics& statistics : plan->features) {
    *training.add_features() = statistics;
  }
  for (const Partition& partition : plan->partitions) {
    *training.add_partitions() = partition;
  }
  BadRows bad_rows({.max_bad_ratio = 0, .side_path = ""}, fs_);
  const StatusOr<std::unique_ptr<FileSource>> source = FileSource::Create(
      job, training, folder_, {.names = {"income", "never_married"}, .implied = {}}, fs_, bad_rows);
  ASSERT_TRUE(source.ok()) << source.status();
  // Of the training part and of the test part.
  uint64_t income[2] = {0, 0};
  uint64_t married[2] = {0, 0};
  Batch batch;
  for (int i = 0; i < training.partitions_size(); ++i) {
    ASSERT_TRUE((*source)->Open(static_cast<PartitionId>(i), 0).ok());
    const int part = training.partitions(i).kind() == Partition::TRAIN ? 0 : 1;
    while (*(*source)->NextBatch(~Position{0}, batch) == ReadOutcome::kBatch) {
      income[part] +=
          static_cast<uint64_t>(std::count(batch.labels[0].begin(), batch.labels[0].end(), 1.0F));
      married[part] +=
          static_cast<uint64_t>(std::count(batch.labels[1].begin(), batch.labels[1].end(), 1.0F));
    }
  }
  EXPECT_THAT(income, ElementsAre(12382, 6186));
  EXPECT_THAT(married, ElementsAre(86485, 43143));
  EXPECT_EQ(bad_rows.rows_read(), 299285U);
}

}  // namespace
}  // namespace antiphon
