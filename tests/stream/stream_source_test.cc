#include "stream/stream_source.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "common/data/job_defaults.h"
#include "tests/stream/scripted_stream.h"
#include "tests/support/fake_clock.h"
#include "tests/support/memory_file_system.h"

namespace antiphon {
namespace {

using ::testing::ElementsAre;

constexpr Position kNoCut = ~Position{0};

class StreamSourceTest : public ::testing::Test {
 protected:
  StreamSourceTest() : bad_rows_({.max_bad_ratio = 1, .side_path = ""}, fs_) {
    CHECK(google::protobuf::TextFormat::ParseFromString(R"(
      data_config {
        batch_size: 4
        input_fields { input_name: "click" }
        input_fields { input_name: "user" }
        label_fields: "click"
        stream { folder { path: "f" } lease_samples: 6 idle_ms: 200 flush_ms: 1000 }
      }
      feature_config { features { input_names: "user" embedding_dim: 1 } }
    )",
                                                        &job_));
    FillDefaults(job_);
    plan_.add_features();
    Partition& partition = *plan_.add_partitions();
    partition.set_open_ended(true);
    partition.set_path("topic/0");
    partition.set_begin_position(100);
    auto stream = std::make_unique<ScriptedStream>();
    stream_ = stream.get();
    StatusOr<std::unique_ptr<StreamSource>> source = StreamSource::Create(
        job_, plan_, {.names = {"click"}, .implied = {}}, std::move(stream), clock_, bad_rows_);
    CHECK(source.ok()) << source.status();
    source_ = std::move(source).value();
    stream_->on_nothing_ = [this] { clock_.Advance(std::chrono::milliseconds(50)); };
  }

  void Add(std::initializer_list<Position> positions) {
    for (const Position position : positions) {
      stream_->entries_.push_back({position, "1,u" + std::to_string(position)});
    }
  }

  // "[begin, end) records", or what the outcome was.
  std::string Read(Position cut = kNoCut) {
    const StatusOr<ReadOutcome> outcome = source_->NextBatch(cut, batch_);
    CHECK(outcome.ok()) << outcome.status();
    switch (*outcome) {
      case ReadOutcome::kBatch:
        return "[" + std::to_string(batch_.begin) + ", " + std::to_string(batch_.end) + ") " +
               std::to_string(batch_.records);
      case ReadOutcome::kNotYet:
        return "not yet";
      case ReadOutcome::kYield:
        return "yield";
      case ReadOutcome::kEnd:
        return "end";
    }
    return "";
  }

  MemoryFileSystem fs_;
  FakeClock clock_;
  Job job_;
  TrainingPlan plan_;
  BadRows bad_rows_;
  ScriptedStream* stream_ = nullptr;
  std::unique_ptr<StreamSource> source_;
  Batch batch_;
};

TEST_F(StreamSourceTest, JoinsBatchesOverGapsInThePositions) {
  Add({107, 108, 300, 301, 900});
  ASSERT_TRUE(source_->Open(0, 0).ok());

  EXPECT_EQ(Read(), "[0, 302) 4");
  stream_->ended_ = true;
  EXPECT_EQ(Read(), "[302, 901) 1");
  EXPECT_EQ(Read(), "end");
}

TEST_F(StreamSourceTest, BeginsWhereThePlanSaysUnlessSomethingWasTrained) {
  ASSERT_TRUE(source_->Open(0, 0).ok());
  ASSERT_TRUE(source_->Open(0, 100).ok());
  ASSERT_TRUE(source_->Open(0, 101).ok());

  EXPECT_THAT(stream_->opened_,
              ElementsAre("topic/0@100 fresh", "topic/0@100 fresh", "topic/0@101"));
}

TEST_F(StreamSourceTest, EndsBatchesWhereALaneStands) {
  Add({10, 11, 50, 51});
  ASSERT_TRUE(source_->Open(0, 10).ok());

  EXPECT_EQ(Read(12), "[10, 12) 2");
  EXPECT_EQ(Read(40), "[12, 40) 0");
  EXPECT_EQ(Read(51), "[40, 51) 1");
}

TEST_F(StreamSourceTest, TrainsWhatItHasAfterAWhile) {
  Add({10});
  ASSERT_TRUE(source_->Open(0, 10).ok());
  const Time begin = clock_.Now();

  EXPECT_EQ(Read(), "[10, 11) 1");
  EXPECT_EQ(clock_.Now() - begin, std::chrono::seconds(1));
}

TEST_F(StreamSourceTest, YieldsWhenNothingComesForAWhile) {
  ASSERT_TRUE(source_->Open(0, 10).ok());

  EXPECT_EQ(Read(), "not yet");
  EXPECT_EQ(Read(), "not yet");
  EXPECT_EQ(Read(), "not yet");
  EXPECT_EQ(Read(), "yield");
}

TEST_F(StreamSourceTest, WaitsLongerForASourceThatHasMore) {
  stream_->behind_ = 7;
  ASSERT_TRUE(source_->Open(0, 10).ok());
  const Time begin = clock_.Now();

  while (Read() == "not yet") {
  }

  EXPECT_EQ(clock_.Now() - begin, std::chrono::seconds(5));
}

TEST_F(StreamSourceTest, YieldsAfterItsShareOfRecordsAndLosesNone) {
  Add({1, 2, 3, 4, 5, 6, 7, 8, 9});
  ASSERT_TRUE(source_->Open(0, 1).ok());

  EXPECT_EQ(Read(), "[1, 5) 4");
  EXPECT_EQ(Read(), "[5, 9) 4");
  EXPECT_EQ(Read(), "yield");
}

TEST_F(StreamSourceTest, ReadsOnBehindItsShareWhenItIsToldEachTime) {
  Add({1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
  ASSERT_TRUE(source_->Open(0, 1).ok());
  EXPECT_EQ(Read(), "[1, 5) 4");
  EXPECT_EQ(Read(), "[5, 9) 4");
  EXPECT_EQ(Read(), "yield");

  source_->GoOn();
  EXPECT_EQ(Read(), "[9, 11) 2");
  EXPECT_EQ(Read(), "yield");
  source_->GoOn();
  EXPECT_EQ(Read(), "not yet");
  EXPECT_EQ(Read(), "yield");
}

TEST_F(StreamSourceTest, CountsBadRecordsAndPassesThem) {
  Add({1, 2});
  stream_->entries_.push_back({3, "no csv"});
  stream_->entries_.push_back({4, "7,u"});
  ASSERT_TRUE(source_->Open(0, 1).ok());

  EXPECT_EQ(Read(), "[1, 5) 4");
  EXPECT_EQ(batch_.rows, 2U);
  EXPECT_EQ(bad_rows_.count(BadRowReason::kColumnCount), 1U);
  EXPECT_EQ(bad_rows_.count(BadRowReason::kBadLabel), 1U);
}

}  // namespace
}  // namespace antiphon
