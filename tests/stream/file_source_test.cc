#include "stream/file_source.h"

#include <algorithm>
#include <numeric>

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "common/data/job_defaults.h"
#include "stream/data_plan.h"
#include "tests/stream/packed_text.h"
#include "tests/support/memory_file_system.h"

namespace antiphon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr Position kNoCut = ~Position{0};
constexpr uint64_t kRecords = 1000;

// Record i of the file has id i, so that what was read tells where it came from.
class FileSourceTest : public ::testing::TestWithParam<std::string (*)(std::string_view)> {
 protected:
  FileSourceTest() : bad_rows_({.max_bad_ratio = 1, .side_path = ""}, fs_) {
    CHECK(google::protobuf::TextFormat::ParseFromString(R"(
      seed: 7
      train_input_path: "train.csv" eval_input_path: "train.csv"
      data_config {
        input_fields { input_name: "id" }
        input_fields { input_name: "click" }
        label_fields: "click" with_header: true
        batch_size: 32 partition_size: 400 shuffle_buffer_size: 150 num_epochs: 2
      }
      feature_config { features { input_names: "id" num_buckets: 100000 embedding_dim: 2 } }
    )",
                                                        &job_));
    FillDefaults(job_);
  }

  void WriteData(const std::vector<uint64_t>& bad = {}) {
    std::string text = "click,id\r\n";
    for (uint64_t i = 0; i < kRecords; ++i) {
      const bool is_bad = std::find(bad.begin(), bad.end(), i) != bad.end();
      text += (is_bad ? "maybe," : "1,") + std::to_string(i) + "\r\n";
    }
    WriteFile(fs_, "/train.csv", GetParam()(text));
  }

  void MakePlan() {
    StatusOr<DataPlan> data = PlanData(job_, "/", fs_);
    CHECK(data.ok()) << data.status();
    plan_.Clear();
    for (const FeatureStatistics& statistics : data->features) {
      *plan_.add_features() = statistics;
    }
    for (const Partition& partition : data->partitions) {
      *plan_.add_partitions() = partition;
    }
  }

  std::unique_ptr<FileSource> MakeSource() {
    StatusOr<std::unique_ptr<FileSource>> source =
        FileSource::Create(job_, plan_, "/", {.names = {"click"}, .implied = {}}, fs_, bad_rows_);
    CHECK(source.ok()) << source.status();
    return std::move(source).value();
  }

  // The ids of a partition from a position on.
  static std::vector<Key> ReadFrom(FileSource& source, PartitionId partition, Position from) {
    CHECK(source.Open(partition, from).ok());
    std::vector<Key> ids;
    Batch batch;
    while (true) {
      const StatusOr<ReadOutcome> outcome = source.NextBatch(kNoCut, batch);
      CHECK(outcome.ok()) << outcome.status();
      if (*outcome == ReadOutcome::kEnd) {
        return ids;
      }
      ids.insert(ids.end(), batch.sparse[0].keys.begin(), batch.sparse[0].keys.end());
    }
  }

  MemoryFileSystem fs_;
  Job job_;
  TrainingPlan plan_;
  BadRows bad_rows_;
};

std::string Plain(std::string_view text) {
  return std::string(text);
}

INSTANTIATE_TEST_SUITE_P(Packings, FileSourceTest, ::testing::Values(&Plain, &Gzip));

TEST_P(FileSourceTest, ReadsEveryRecordOfEveryPartitionOnce) {
  WriteData();
  MakePlan();
  const auto source = MakeSource();

  std::vector<Key> epoch;
  for (PartitionId partition = 0; partition < 3; ++partition) {
    const std::vector<Key> ids = ReadFrom(*source, partition, 0);
    epoch.insert(epoch.end(), ids.begin(), ids.end());
  }

  std::sort(epoch.begin(), epoch.end());
  std::vector<Key> expected(kRecords);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(epoch, expected);
}

TEST_P(FileSourceTest, ShufflesWithinWindows) {
  WriteData();
  MakePlan();

  std::vector<Key> window = ReadFrom(*MakeSource(), 1, 0);
  window.resize(150);

  EXPECT_FALSE(std::is_sorted(window.begin(), window.end()));
  std::sort(window.begin(), window.end());
  EXPECT_EQ(window.front(), 400U);
  EXPECT_EQ(window.back(), 549U);
}

TEST_P(FileSourceTest, ShufflesEachEpochAnew) {
  WriteData();
  MakePlan();
  const auto source = MakeSource();

  EXPECT_NE(ReadFrom(*source, 0, 0), ReadFrom(*source, 6, 0));
}

TEST_P(FileSourceTest, ReadsEvaluationInFileOrder) {
  WriteData();
  MakePlan();

  const std::vector<Key> ids = ReadFrom(*MakeSource(), 4, 0);

  EXPECT_EQ(ids.size(), 400U);
  EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
  EXPECT_EQ(ids.front(), 400U);
}

TEST_P(FileSourceTest, GivesAPositionTheSameSampleFromAnywhere) {
  WriteData();
  MakePlan();
  const std::vector<Key> whole = ReadFrom(*MakeSource(), 1, 0);
  const auto source = MakeSource();
  job_.mutable_data_config()->set_batch_size(7);
  const auto other_grid = MakeSource();

  for (const Position from : {399U, 0U, 150U, 149U, 31U, 200U}) {
    const std::vector<Key> rest(whole.begin() + from, whole.end());
    EXPECT_EQ(ReadFrom(*source, 1, from), rest) << from;
    EXPECT_EQ(ReadFrom(*other_grid, 1, from), rest) << from;
    EXPECT_EQ(ReadFrom(*source, 2, 190).size(), 10U);
  }
}

TEST_P(FileSourceTest, CutsBatchesAtTheGridAndAtTheCut) {
  WriteData();
  MakePlan();
  const auto source = MakeSource();
  ASSERT_TRUE(source->Open(0, 20).ok());
  std::vector<Position> ends;
  Batch batch;
  for (const Position cut : {kNoCut, Position{40}, Position{64}, kNoCut}) {
    ASSERT_EQ(*source->NextBatch(cut, batch), ReadOutcome::kBatch);
    EXPECT_EQ(batch.end - batch.begin, batch.rows);
    ends.push_back(batch.end);
  }

  EXPECT_THAT(ends, ElementsAre(32, 40, 64, 96));
}

// Requests of 10 rows in batches of 32: the batches end where requests do, from wherever they
// begin.
TEST_P(FileSourceTest, EndsBatchesWhereRequestsEnd) {
  std::string text = "click,id,request\n";
  for (uint64_t i = 0; i < kRecords; ++i) {
    const bool is_bad = i == 39;
    text += (is_bad ? "maybe," : "1,") + std::to_string(i) + "," + std::to_string(i / 10) + "\n";
  }
  WriteFile(fs_, "/train.csv", GetParam()(text));
  job_.mutable_data_config()->set_shuffle(false);
  job_.mutable_data_config()->add_input_fields()->set_input_name("request");
  job_.mutable_data_config()->set_request_field("request");
  MakePlan();
  const auto source = MakeSource();

  for (const Position from : {0U, 70U}) {
    ASSERT_TRUE(source->Open(0, from).ok());
    std::vector<Position> ends;
    Batch batch;
    while (*source->NextBatch(kNoCut, batch) == ReadOutcome::kBatch) {
      ends.push_back(batch.end);
    }
    const std::vector<Position> all = {40,  70,  100, 130, 160, 200, 230,
                                       260, 290, 320, 360, 390, 400};
    EXPECT_EQ(ends, std::vector<Position>(all.begin() + (from == 0 ? 0 : 2), all.end()));
  }
}

TEST_P(FileSourceTest, ARequestLargerThanABatchIsCut) {
  WriteData();
  job_.mutable_data_config()->set_shuffle(false);
  job_.mutable_data_config()->set_request_field("click");  // the same in every row
  MakePlan();
  EXPECT_EQ(plan_.partitions(0).end_record(), 800U);
  const auto source = MakeSource();
  ASSERT_TRUE(source->Open(0, 0).ok());
  Batch batch;

  ASSERT_EQ(*source->NextBatch(kNoCut, batch), ReadOutcome::kBatch);
  EXPECT_EQ(batch.end, 64U);
  ASSERT_EQ(*source->NextBatch(80, batch), ReadOutcome::kBatch);
  EXPECT_EQ(batch.end, 80U);
}

TEST_P(FileSourceTest, LetsBadRowsKeepTheirPositions) {
  WriteData({3, 4, 500});
  MakePlan();
  job_.mutable_data_config()->set_shuffle(false);
  const auto source = MakeSource();
  ASSERT_TRUE(source->Open(0, 0).ok());
  Batch batch;
  ASSERT_EQ(*source->NextBatch(kNoCut, batch), ReadOutcome::kBatch);

  EXPECT_EQ(batch.end, 32U);
  EXPECT_EQ(batch.rows, 30U);
  EXPECT_EQ(bad_rows_.count(BadRowReason::kBadLabel), 2U);
  ASSERT_TRUE(source->Open(0, 3).ok());
  ASSERT_EQ(*source->NextBatch(5, batch), ReadOutcome::kBatch);
  EXPECT_EQ(batch.rows, 0U);
  EXPECT_EQ(batch.end, 5U);
}

TEST_P(FileSourceTest, EndsAtOnceAtTheEndOfAPartition) {
  WriteData();
  MakePlan();

  EXPECT_TRUE(ReadFrom(*MakeSource(), 0, 400).empty());
  EXPECT_FALSE(MakeSource()->Open(99, 0).ok());
}

TEST_P(FileSourceTest, SaysWhenTheFileHasBecomeShorter) {
  WriteData();
  MakePlan();
  WriteFile(fs_, "/train.csv", GetParam()("click,id\n1,5\n"));
  const auto source = MakeSource();
  ASSERT_TRUE(source->Open(0, 0).ok());
  Batch batch;

  EXPECT_THAT(source->NextBatch(kNoCut, batch).status().message(),
              HasSubstr("the file has changed since the job was planned"));
}

}  // namespace
}  // namespace antiphon
