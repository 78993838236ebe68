#include "serving/export/publish_plan.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/serving/version_folder.h"

namespace antiphon {
namespace {

using testing::HasSubstr;
using Kind = Publication::Kind;

CommittedSnapshot Full(uint64_t version) {
  return {.folder = "s/snapshot-" + std::to_string(version),
          .version = version,
          .manifest_crc32c = static_cast<uint32_t>(100 + version),
          .model_name = "m",
          .model_id = "00000000000000aa",
          .tables = "user:8",
          .transform_digest = "t"};
}

CommittedSnapshot Delta(uint64_t version, uint64_t predecessor) {
  CommittedSnapshot delta = Full(version);
  delta.is_delta = true;
  delta.predecessor_version = predecessor;
  delta.predecessor_crc32c = static_cast<uint32_t>(100 + predecessor);
  return delta;
}

// Version `version` as it was published, `sequence` steps behind one with all rows.
Signature Published(uint64_t version, uint64_t sequence = 0) {
  Signature signature = FullSignature(version);
  signature.set_snapshot_crc32c(static_cast<uint32_t>(100 + version));
  signature.set_transform_digest("t");
  ServedTable& table = *signature.add_tables();
  table.set_name("user");
  table.set_dim(8);
  table.set_precision(ServedTable::FP32);
  if (sequence > 0) {
    signature.mutable_step()->set_sequence(sequence);
  }
  return signature;
}

class PublishPlanTest : public ::testing::Test {
 protected:
  void Expect(Kind kind, uint64_t version, const std::string& why_full = "") {
    const StatusOr<Publication> next = PlanPublication(snapshots_, last_, rules_);
    ASSERT_TRUE(next.ok()) << next.status();
    EXPECT_EQ(next->kind, kind) << next->why_full;
    EXPECT_EQ(next->version, version);
    EXPECT_THAT(next->why_full, HasSubstr(why_full));
  }
  void ExpectRefused(StatusCode code, const std::string& what) {
    const Status status = PlanPublication(snapshots_, last_, rules_).status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(status.message(), HasSubstr(what));
  }

  std::vector<CommittedSnapshot> snapshots_;
  Signature published_ = Published(3);
  const Signature* last_ = &published_;
  PublishRules rules_;
};

TEST_F(PublishPlanTest, WaitsForTheFirstSnapshot) {
  last_ = nullptr;
  Expect(Kind::kNothing, 0);
}

TEST_F(PublishPlanTest, BeginsWithAllRowsOfTheNewest) {
  last_ = nullptr;
  snapshots_ = {Full(1), Delta(2, 1), Delta(3, 2)};
  Expect(Kind::kFull, 3, "the first");
}

TEST_F(PublishPlanTest, WaitsWhereTheNewestIsPublished) {
  snapshots_ = {Full(1), Delta(2, 1), Delta(3, 2)};
  Expect(Kind::kNothing, 0);
}

TEST_F(PublishPlanTest, TakesDeltasOneByOneInOrder) {
  snapshots_ = {Full(1), Delta(3, 1), Delta(4, 3), Delta(7, 4), Delta(8, 7)};
  Expect(Kind::kStep, 4);
  published_ = Published(4, 1);
  Expect(Kind::kStep, 7);
  published_ = Published(7, 2);
  Expect(Kind::kStep, 8);
}

// What a delta grows from need not be there any more: its version is.
TEST_F(PublishPlanTest, NeedsNoSnapshotButTheDelta) {
  snapshots_ = {Delta(4, 3)};
  Expect(Kind::kStep, 4);
}

TEST_F(PublishPlanTest, TakesAllRowsWhereAFullSnapshotComesInBetween) {
  snapshots_ = {Delta(4, 3), Full(5), Delta(6, 5)};
  Expect(Kind::kFull, 6, "snapshot 5 is a full one");
}

TEST_F(PublishPlanTest, TakesAllRowsWhereALinkIsGone) {
  snapshots_ = {Delta(4, 3), Delta(6, 5)};
  Expect(Kind::kFull, 6, "snapshots between 3 and 6 are gone");
}

TEST_F(PublishPlanTest, TakesAllRowsWhereALinkIsAnotherOne) {
  snapshots_ = {Delta(4, 3), Delta(5, 4)};
  snapshots_[0].manifest_crc32c = 7;
  Expect(Kind::kFull, 5, "gone");
  snapshots_ = {Delta(4, 3)};
  published_.set_snapshot_crc32c(7);
  Expect(Kind::kFull, 4, "gone");
}

TEST_F(PublishPlanTest, TakesAllRowsWhereWhatIsServedWouldChangeItsShape) {
  snapshots_ = {Delta(4, 3)};
  snapshots_[0].tables = "user:8,item:4";
  Expect(Kind::kFull, 4, "the tables changed");
  snapshots_ = {Delta(4, 3)};
  snapshots_[0].transform_digest = "u";
  Expect(Kind::kFull, 4, "what turns features into ids or numbers changed");
  snapshots_ = {Delta(4, 3)};
  snapshots_[0].model_id = "00000000000000bb";
  Expect(Kind::kFull, 4, "another run of the job");
  snapshots_ = {Delta(4, 3)};
  rules_.precision = RowPrecision::kInt8;
  Expect(Kind::kFull, 4, "the precision changed");
  rules_ = {.min_score = 0.5};
  Expect(Kind::kFull, 4, "the lowest score");
}

TEST_F(PublishPlanTest, BeginsAnewAfterSoManySteps) {
  rules_.max_steps = 5;
  snapshots_ = {Delta(4, 3), Delta(5, 4)};
  published_ = Published(3, 4);
  Expect(Kind::kStep, 4);
  published_ = Published(3, 5);
  Expect(Kind::kFull, 5, "5 steps are enough");
  rules_.max_steps = 0;
  published_ = Published(3);
  Expect(Kind::kFull, 5, "0 steps are enough");
}

TEST_F(PublishPlanTest, GoesAroundADeltaThatCannotBeRead) {
  snapshots_ = {Full(1), Delta(3, 1), Delta(4, 3), Delta(5, 4)};
  snapshots_[2].failed_as_step = true;
  Expect(Kind::kFull, 5, "snapshot 4 cannot be read");
  snapshots_[3].failed_as_full = true;
  Expect(Kind::kFull, 4, "snapshot 4 cannot be read");
  snapshots_[2].failed_as_full = true;
  Expect(Kind::kNothing, 0);
}

TEST_F(PublishPlanTest, RefusesAnotherJob) {
  snapshots_ = {Full(4)};
  snapshots_[0].model_name = "other";
  ExpectRefused(StatusCode::kInvalidArgument, "of job \"other\"");
}

TEST_F(PublishPlanTest, RefusesToGoBack) {
  snapshots_ = {Full(1), Delta(2, 1)};
  ExpectRefused(StatusCode::kStaleEpoch, "older than version 3");
  snapshots_ = {Full(3)};
  snapshots_[0].manifest_crc32c = 7;
  ExpectRefused(StatusCode::kStaleEpoch, "another one of that number");
}

TEST_F(PublishPlanTest, ServesOnlyWhatWasPromotedAndStillTakesTheStepsOnTheWay) {
  rules_.promoted_only = true;
  snapshots_ = {Full(1), Delta(3, 1), Delta(4, 3), Delta(5, 4), Delta(6, 5)};
  Expect(Kind::kNothing, 0);
  snapshots_[3].is_promoted = true;
  Expect(Kind::kStep, 4);
  EXPECT_FALSE(PlanPublication(snapshots_, last_, rules_)->becomes_current);
  published_ = Published(4, 1);
  Expect(Kind::kStep, 5);
  EXPECT_TRUE(PlanPublication(snapshots_, last_, rules_)->becomes_current);
  published_ = Published(5, 2);
  Expect(Kind::kNothing, 0);
  last_ = nullptr;
  Expect(Kind::kFull, 5);
}

}  // namespace
}  // namespace antiphon
