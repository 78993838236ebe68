#include "worker/read_ahead.h"

#include <atomic>
#include <memory>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace antiphon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Batches of 4 of a partition of 10. Partition 5 has had its share after each; so has partition 6,
// which has no more for now after the first.
class SmallSource final : public SampleSource {
 public:
  explicit SmallSource(std::atomic<int>& closes) : closes_(closes) {}

  void Close() override { ++closes_; }

  Status Open(PartitionId partition, Position from) override {
    if (partition == 99) {
      return NotFoundError("no partition 99");
    }
    partition_ = partition;
    at_ = from;
    return Status();
  }

  void GoOn() override { goes_on_ = true; }

  StatusOr<ReadOutcome> NextBatch(Position cut, Batch& batch) override {
    if (at_ >= 10) {
      return ReadOutcome::kEnd;
    }
    if ((partition_ == 5 || partition_ == 6) && at_ > 0) {
      if (!std::exchange(goes_on_, false)) {
        return ReadOutcome::kYield;
      }
      if (partition_ == 6) {
        return ReadOutcome::kNotYet;
      }
    }
    batch.Clear();
    batch.partition = partition_;
    batch.begin = at_;
    batch.end = std::min<Position>({cut, 10, (at_ / 4 + 1) * 4});
    batch.records = static_cast<uint32_t>(batch.end - batch.begin);
    at_ = batch.end;
    return ReadOutcome::kBatch;
  }

 private:
  std::atomic<int>& closes_;
  PartitionId partition_ = 0;
  Position at_ = 0;
  bool goes_on_ = false;
};

class CountingWaker final : public Waker {
 public:
  void Wake() override { ++wakes_; }
  std::atomic<int> wakes_{0};
};

std::unique_ptr<BadRows> TwoBadRows() {
  static PosixFileSystem fs;
  auto bad_rows =
      std::make_unique<BadRows>(BadRowOptions{.max_bad_ratio = 0.5, .side_path = ""}, fs);
  bad_rows->AddGood(8);
  for (uint64_t record = 0; record < 2; ++record) {
    const BadRow row{
        .reason = BadRowReason::kBadNumber, .path = "a.csv", .record = record, .text = "1,x"};
    EXPECT_TRUE(bad_rows->AddBad(row).ok());
  }
  return bad_rows;
}

class ReadAheadTest : public ::testing::Test {
 protected:
  ReadAheadTest() {
    ParameterSchema schema;
    schema.set_shard_count(1);
    ClusterView view;
    view.add_lanes();
    view.add_lane_of_shard(0);
    feed_ = std::make_unique<ReadAhead>(std::make_unique<SmallSource>(closes_),
                                        BatchPreparer(schema, view, {}), 2, waker_, TwoBadRows());
  }

  // Waits for what the reading thread hands over.
  StatusOr<BatchFeed::Outcome> Next() {
    for (;;) {
      StatusOr<BatchFeed::Outcome> outcome = feed_->Next(batch_);
      if (!outcome.ok() || *outcome != BatchFeed::Outcome::kNotReady) {
        return outcome;
      }
    }
  }

  std::vector<Position> ReadEnds() {
    std::vector<Position> ends;
    while (*Next() == BatchFeed::Outcome::kBatch) {
      ends.push_back(batch_->batch.end);
      feed_->Recycle(std::move(batch_));
    }
    return ends;
  }

  std::atomic<int> closes_{0};
  std::shared_ptr<CountingWaker> waker_ = std::make_shared<CountingWaker>();
  std::unique_ptr<ReadAhead> feed_;
  std::unique_ptr<PreparedBatch> batch_;
};

TEST_F(ReadAheadTest, HandsOverEveryBatchAndThenTheEnd) {
  feed_->Start(1, 0, {});

  EXPECT_THAT(ReadEnds(), ElementsAre(4, 8, 10));
  EXPECT_GE(waker_->wakes_.load(), 3);
}

TEST_F(ReadAheadTest, CutsWhereItIsTold) {
  feed_->Start(1, 3, {3, 5, 9});

  EXPECT_THAT(ReadEnds(), ElementsAre(4, 5, 8, 9, 10));
}

TEST_F(ReadAheadTest, ForgetsThePartitionBefore) {
  feed_->Start(1, 0, {});
  ASSERT_EQ(*Next(), BatchFeed::Outcome::kBatch);
  feed_->Start(2, 8, {});

  ASSERT_EQ(*Next(), BatchFeed::Outcome::kBatch);
  EXPECT_EQ(batch_->batch.partition, 2);
  EXPECT_EQ(batch_->batch.begin, 8);
  EXPECT_EQ(*Next(), BatchFeed::Outcome::kEnd);
}

TEST_F(ReadAheadTest, HasLetGoOfThePartitionWhenItSaysThatThereIsNoMore) {
  feed_->Start(1, 0, {});
  ReadEnds();

  EXPECT_EQ(closes_.load(), 1);
}

TEST_F(ReadAheadTest, LetsGoOfThePartitionWhenItIsStoppedThoughTheReaderWaitsForRoom) {
  feed_->Start(1, 0, {});
  ASSERT_EQ(*Next(), BatchFeed::Outcome::kBatch);

  feed_->Stop();

  while (closes_.load() == 0) {
    ASSERT_EQ(*feed_->Next(batch_), BatchFeed::Outcome::kNotReady);
  }
}

TEST_F(ReadAheadTest, ReadsOnBehindItsShareUntilItMayYield) {
  feed_->Start(5, 0, {});
  EXPECT_THAT(ReadEnds(), ElementsAre(4, 8, 10));
  EXPECT_TRUE(feed_->wants_to_yield());

  feed_->Start(6, 0, {});
  ASSERT_EQ(*Next(), BatchFeed::Outcome::kBatch);
  while (!feed_->wants_to_yield()) {
  }
  EXPECT_EQ(*feed_->Next(batch_), BatchFeed::Outcome::kNotReady);
  feed_->LetYield();
  EXPECT_EQ(*Next(), BatchFeed::Outcome::kYield);
}

TEST_F(ReadAheadTest, PassesOnTheErrorOfTheSource) {
  feed_->Start(99, 0, {});

  EXPECT_THAT(Next().status().message(), HasSubstr("no partition 99"));
}

TEST_F(ReadAheadTest, CollectsBadRowsOnce) {
  feed_->Start(1, 0, {});
  ReadEnds();

  MetricsDelta first;
  feed_->TakeBadRows(first);
  MetricsDelta second;
  feed_->TakeBadRows(second);

  EXPECT_EQ(first.bad_rows(), 2);
  EXPECT_EQ(second.bad_rows(), 0);
}

TEST_F(ReadAheadTest, EndsWhileTheReaderWaitsForRoom) {
  feed_->Start(1, 0, {});
  ASSERT_EQ(*Next(), BatchFeed::Outcome::kBatch);

  feed_.reset();  // joins the reading thread
}

}  // namespace
}  // namespace antiphon
