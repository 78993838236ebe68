#include "server/lane.h"

#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/optim/loss_balance.h"
#include "tests/server/lane_fixture.h"

namespace antiphon {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

const std::vector<Key> kKeys = {5, 6, 7};

class LaneTest : public ::testing::Test {
 protected:
  LaneTest() : lanes_(1, fs_) {}

  void Start(std::optional<uint32_t> max_staleness = std::nullopt,
             const ParameterSchema& schema = TestSchema()) {
    lanes_.Configure(max_staleness, schema);
    EXPECT_TRUE(lanes_.Call(0, METHOD_OPEN_PARTITION, OpenRequest(0, 1)).status.ok());
  }

  Answer Pull(uint64_t step, TableId table = 0) {
    return lanes_.Call(0, METHOD_PULL, PullOf(step, table, kKeys.size()), {BufferOf(kKeys)});
  }

  // Gradients of -1 for the rows of kKeys in table 0.
  Answer Push(const PushRequest& request) {
    return lanes_.Call(0, METHOD_PUSH, request, Frames(-1));
  }
  Answer Push(uint64_t step, Position begin, Position end) {
    return Push(PushOf(step, 0, kKeys.size(), begin, end));
  }
  static std::vector<Buffer> Frames(float gradient) {
    return {BufferOf(std::vector<float>(2 * kKeys.size(), gradient)),
            BufferOf(std::vector<uint32_t>(kKeys.size(), 1U << 16)), Buffer()};
  }

  std::vector<float> Weights() { return Pull(1000).Floats(0); }

  void Join(Incarnation ann, Incarnation bob) {
    SetMembersRequest members;
    members.set_version(1);
    members.add_members()->set_incarnation(ann);
    members.add_members()->set_incarnation(bob);
    EXPECT_TRUE(lanes_.Call(0, METHOD_SET_MEMBERS, members).status.ok());
  }

  MemoryFileSystem fs_;
  TestLanes lanes_;
};

TEST_F(LaneTest, RefusesEverythingBeforeConfigure) {
  for (const Method method :
       {METHOD_PULL, METHOD_PUSH, METHOD_OPEN_PARTITION, METHOD_SET_MEMBERS, METHOD_LEAVE_CLOCK,
        METHOD_WRITE_SNAPSHOT, METHOD_RESTORE, METHOD_EXPLAIN, METHOD_LANE_STATUS, METHOD_ECHO}) {
    EXPECT_EQ(lanes_.Call(0, method, EchoRequest()).status.code(), StatusCode::kFailedPrecondition)
        << Method_Name(method);
  }
  EXPECT_EQ(lanes_.StatusOf(0).refused_total(), 10u);
}

TEST_F(LaneTest, ConfiguresOnce) {
  lanes_.Configure();
  lanes_.Configure();

  ConfigureRequest other = TestConfig(1, 0);
  other.mutable_schema()->set_seed(8);

  EXPECT_EQ(lanes_.Call(0, METHOD_CONFIGURE, other).status.code(), StatusCode::kFailedPrecondition);
}

TEST_F(LaneTest, RefusesConfigurationsThatContradictThemselves) {
  ConfigureRequest wrong_lane = TestConfig(1, 0);
  wrong_lane.set_lane(1);
  ConfigureRequest wrong_shards = TestConfig(1, 0);
  wrong_shards.mutable_view()->add_lane_of_shard(0);
  ConfigureRequest wrong_map = TestConfig(1, 0);
  wrong_map.mutable_view()->set_lane_of_shard(3, 9);
  ConfigureRequest no_shards = TestConfig(1, 0);
  no_shards.mutable_schema()->clear_shard_count();
  ConfigureRequest huge_chunks = TestConfig(1, 0);
  huge_chunks.mutable_schema()->set_chunk_floats(1U << 27);

  for (const ConfigureRequest& config :
       {wrong_lane, wrong_shards, wrong_map, no_shards, huge_chunks, ConfigureRequest()}) {
    EXPECT_EQ(lanes_.Call(0, METHOD_CONFIGURE, config).status.code(), StatusCode::kInvalidArgument);
  }
  lanes_.Configure();
}

TEST_F(LaneTest, RefusesStrangersAndOldMaps) {
  Start();
  lanes_.ann.rpc().SetCluster(kTestCluster, 2);
  EXPECT_EQ(Pull(1).status.code(), StatusCode::kStaleEpoch);
  lanes_.ann.rpc().SetCluster(0, 1);
  EXPECT_EQ(Pull(1).status.code(), StatusCode::kStaleEpoch);
}

TEST_F(LaneTest, AppliesAPushToTheRowsOfItsPull) {
  Start();
  EXPECT_THAT(Pull(1).Floats(0), ElementsAre(0, 0, 0, 0, 0, 0));

  const PushReply reply = Push(1, 0, 10).Parse<PushReply>();

  EXPECT_EQ(reply.outcome(), PushReply::APPLIED);
  EXPECT_EQ(reply.applied_through(), 10u);
  EXPECT_THAT(Weights(), ElementsAre(1, 1, 1, 1, 1, 1));
}

TEST_F(LaneTest, AppliesARepeatedPushOnce) {
  Start();
  Pull(1);
  Push(1, 0, 10);

  const PushReply reply = Push(1, 0, 10).Parse<PushReply>();

  EXPECT_EQ(reply.outcome(), PushReply::DUPLICATE);
  EXPECT_EQ(reply.applied_through(), 10u);
  EXPECT_THAT(Weights(), Each(1));
  EXPECT_EQ(lanes_.StatusOf(0).duplicate_pushes_total(), 1u);
}

TEST_F(LaneTest, AsksForKeysWhenThePullIsForgotten) {
  Start();
  PushRequest push = PushOf(77, 0, kKeys.size(), 0, 10);
  EXPECT_EQ(Push(push).status.code(), StatusCode::kUnknownHandle);

  push.set_has_keys(true);
  std::vector<Buffer> frames = Frames(-1);
  frames.push_back(BufferOf(kKeys));
  const Answer answer = lanes_.Call(0, METHOD_PUSH, push, frames);

  EXPECT_EQ(answer.Parse<PushReply>().outcome(), PushReply::APPLIED);
  EXPECT_THAT(Weights(), Each(1));
}

TEST_F(LaneTest, RefusedPushChangesNothing) {
  Start();
  Pull(1);
  const PushRequest good = PushOf(1, 0, kKeys.size(), 0, 10);
  PushRequest other_count = good;
  other_count.mutable_tables(0)->set_count(2);
  PushRequest other_table = good;
  other_table.mutable_tables(0)->set_table(1);
  PushRequest unknown_table = good;
  unknown_table.mutable_tables(0)->set_table(2);
  PushRequest huge_count = good;
  huge_count.mutable_tables(0)->set_count(std::numeric_limits<uint32_t>::max());
  PushRequest twice = good;
  *twice.add_tables() = good.tables(0);
  PushRequest chunk_without_floats = good;
  chunk_without_floats.set_chunk_bits("\x01");
  PushRequest too_many_chunks = good;
  too_many_chunks.set_chunk_bits("\x01\x01");
  PushRequest chunk_that_is_not = good;
  chunk_that_is_not.set_chunk_bits("\x80");
  PushRequest empty_batch = good;
  empty_batch.set_end(0);
  PushRequest keys_missing = good;
  keys_missing.set_has_keys(true);

  for (const PushRequest& bad :
       {other_count, other_table, unknown_table, huge_count, twice, chunk_without_floats,
        too_many_chunks, chunk_that_is_not, empty_batch, keys_missing}) {
    const Status status = Push(bad).status;
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << bad.ShortDebugString() << status;
  }
  for (const float gradient :
       {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
        std::numeric_limits<float>::quiet_NaN()}) {
    EXPECT_THAT(lanes_.Call(0, METHOD_PUSH, good, Frames(gradient)).status.message(),
                HasSubstr("infinite or NaN"));
  }
  EXPECT_EQ(Push(PushOf(1, 0, kKeys.size(), 5, 10)).status.code(), StatusCode::kPositionGap);

  EXPECT_THAT(Weights(), Each(0));
  EXPECT_EQ(Push(good).Parse<PushReply>().outcome(), PushReply::APPLIED);
}

TEST_F(LaneTest, RefusesPullsThatContradictThemselves) {
  Start();
  PullRequest count = PullOf(1, 0, kKeys.size() + 1);
  PullRequest table = PullOf(1, 2, kKeys.size());
  PullRequest huge = PullOf(1, 0, std::numeric_limits<uint32_t>::max());

  for (const PullRequest& bad : {count, table, huge}) {
    EXPECT_EQ(lanes_.Call(0, METHOD_PULL, bad, {BufferOf(kKeys)}).status.code(),
              StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(
      lanes_.Call(0, METHOD_PULL, PullOf(1, 0, kKeys.size()), {BufferOf(kKeys), BufferOf(kKeys)})
          .status.code(),
      StatusCode::kInvalidArgument);
}

TEST_F(LaneTest, EvaluationCreatesNoRows) {
  Start();
  PullRequest pull = PullOf(1, 1, kKeys.size());
  pull.set_purpose(PURPOSE_EVAL);

  const Answer answer = lanes_.Call(0, METHOD_PULL, pull, {BufferOf(kKeys)});

  EXPECT_THAT(answer.Floats(0), SizeIs(9));
  EXPECT_THAT(answer.Floats(0), Each(0));
  EXPECT_EQ(lanes_.StatusOf(0).tables(1).rows(), 0u);
  Pull(1, 1);
  EXPECT_EQ(lanes_.StatusOf(0).tables(1).rows(), kKeys.size());
  EXPECT_NE(lanes_.Call(0, METHOD_PULL, pull, {BufferOf(kKeys)}).Floats(0)[0], 0);
}

TEST_F(LaneTest, SendsOnlyChunksThatChanged) {
  Start();
  PullRequest pull;
  pull.set_step(1);
  pull.set_dense_version(0);
  const Answer first = lanes_.Call(0, METHOD_PULL, pull);
  EXPECT_THAT(first.Floats(1), SizeIs(20));
  EXPECT_THAT(first.Floats(1), Each(0));

  PushRequest push = PushOf(1, 0, 0, 0, 10);
  push.set_chunk_bits("\x02");
  const Answer pushed = lanes_.Call(
      0, METHOD_PUSH, push, {Buffer(), Buffer(), BufferOf(std::vector<float>{-1, -2, -3, -4})});
  EXPECT_EQ(pushed.status.code(), StatusCode::kInvalidArgument)
      << "the pull had no slice of table 0";
  push.clear_tables();
  ASSERT_TRUE(lanes_
                  .Call(0, METHOD_PUSH, push,
                        {Buffer(), Buffer(), BufferOf(std::vector<float>{-1, -2, -3, -4})})
                  .status.ok());

  pull.set_dense_version(first.Parse<PullReply>().dense_version());
  const Answer second = lanes_.Call(0, METHOD_PULL, pull);
  EXPECT_EQ(second.Parse<PullReply>().chunk_bits(), "\x02");
  EXPECT_THAT(second.Floats(1), ElementsAre(1, 2, 3, 4));
  pull.set_dense_version(1'000'000);
  EXPECT_THAT(lanes_.Call(0, METHOD_PULL, pull).Floats(1), SizeIs(20))
      << "a version of another store";
}

TEST_F(LaneTest, BspParksAPullUntilTheOtherHasPushed) {
  Start(0);
  Join(11, 12);
  Pull(1);
  PushRequest push = PushOf(1, 0, kKeys.size(), 0, 10);
  push.set_tick(1);
  Push(push);
  Answer ann;
  lanes_.ann.Send(0, METHOD_PULL, PullOf(2, 0, kKeys.size(), 1), {BufferOf(kKeys)}, ann);
  lanes_.Run();
  EXPECT_EQ(ann.count, 0);
  EXPECT_EQ(lanes_.StatusOf(0).parked_pulls(), 1u);
  EXPECT_EQ(lanes_.StatusOf(0).staleness_max(), 1u);

  Answer bob_pull;
  Answer bob_push;
  lanes_.bob.Send(0, METHOD_PULL, PullOf(1, 0, kKeys.size(), 0), {BufferOf(kKeys)}, bob_pull);
  lanes_.Run();
  PushRequest other = PushOf(1, 0, kKeys.size(), 10, 20);
  other.set_tick(1);
  lanes_.bob.Send(0, METHOD_PUSH, other, Frames(-1), bob_push);
  lanes_.Run();

  EXPECT_TRUE(bob_push.status.ok()) << bob_push.status;
  ASSERT_EQ(ann.count, 1);
  EXPECT_THAT(ann.Floats(0), Each(2)) << "the pull reads both pushes";
  EXPECT_EQ(lanes_.StatusOf(0).parked_pulls(), 0u);
}

// Two workers that measure two tasks.
class TaskWeightsLaneTest : public LaneTest {
 protected:
  void StartWithTasks(std::optional<uint32_t> max_staleness) {
    ParameterSchema schema = TestSchema();
    schema.set_chunk_floats(6);
    BlockSpec& block = *schema.mutable_blocks(0);
    block.clear_optimizer();
    block.set_rows(3);
    block.set_cols(2);
    block.mutable_initializer()->mutable_constant_initializer()->set_value(1);
    block.mutable_loss_balance()->mutable_grad_norm()->set_initial_loss(GradNormConfig::FIXED);
    Start(max_staleness, schema);
    Join(11, 12);
  }

  // What the lane holds after a worker's push of `norms`.
  std::vector<float> Measure(TestClient& worker, Position at, Tick tick,
                             const std::vector<float>& norms) {
    PushRequest push = PushOf(at, 0, 0, at, at + 1);
    push.clear_tables();
    push.set_tick(tick);
    push.set_has_keys(true);
    push.set_chunk_bits("\x01");
    const std::vector<float> measured = {norms[0], norms[1], 0.5F, 0.5F, 1, 1};
    Answer answer;
    worker.Send(0, METHOD_PUSH, push, {Buffer(), Buffer(), BufferOf(measured), Buffer()}, answer);
    lanes_.Run();
    EXPECT_TRUE(answer.status.ok()) << answer.status;
    PullRequest pull;
    pull.set_purpose(PURPOSE_EVAL);
    pull.set_dense_version(0);
    std::vector<float> floats = lanes_.Call(0, METHOD_PULL, pull).Floats(1);
    floats.resize(2);
    return floats;
  }
};

TEST_F(TaskWeightsLaneTest, BspMovesThemOnceAStep) {
  StartWithTasks(0);

  EXPECT_THAT(Measure(lanes_.ann, 0, 1, {1, 5}), ElementsAre(1, 1)) << "the step has not ended";
  const std::vector<float> first = Measure(lanes_.bob, 1, 1, {1, 5});
  EXPECT_EQ(Measure(lanes_.bob, 2, 2, {1, 5}), first);
  const std::vector<float> second = Measure(lanes_.ann, 3, 2, {1, 5});

  // As one worker that measures the same, step by step.
  std::vector<double> weight = {1, 1};
  const GradNormStep grad_norm{.alpha = 0.12, .lr = 0.025, .min_weight = 0.001};
  for (const std::vector<float>& weights : {first, second}) {
    grad_norm.Apply(std::vector<double>{1, 5}, std::vector<double>{1, 1}, weight);
    EXPECT_NEAR(weights[0], weight[0], 1e-6);
    EXPECT_NEAR(weights[1], weight[1], 1e-6);
  }
}

TEST_F(TaskWeightsLaneTest, AspMovesThemWithEveryPush) {
  StartWithTasks(std::nullopt);

  const std::vector<float> first = Measure(lanes_.ann, 0, 1, {1, 5});
  const std::vector<float> second = Measure(lanes_.ann, 1, 2, {1, 5});

  EXPECT_GT(first[0], 1);
  EXPECT_GT(second[0], first[0]);
  EXPECT_NEAR(second[0] + second[1], 2, 1e-6);
}

TEST_F(LaneTest, RetriesOfAParkedPullGetOneAnswer) {
  Start(0);
  Join(11, 12);
  Answer answer;
  lanes_.ann.Send(0, METHOD_PULL, PullOf(2, 0, kKeys.size(), 1), {BufferOf(kKeys)}, answer);
  for (int retry = 0; retry < 3; ++retry) {
    lanes_.clock().Advance(std::chrono::seconds(3));
    lanes_.Run();
  }
  EXPECT_EQ(lanes_.StatusOf(0).parked_pulls(), 1u);

  Answer left;
  lanes_.bob.Send(0, METHOD_LEAVE_CLOCK, LeaveClockRequest(), {}, left);
  lanes_.Run();

  EXPECT_EQ(answer.count, 1);
  EXPECT_TRUE(answer.status.ok());
}

TEST_F(LaneTest, FencesTheFormerLeaseHolder) {
  Start();
  Pull(1);
  ASSERT_TRUE(lanes_.Call(0, METHOD_OPEN_PARTITION, OpenRequest(0, 2)).status.ok());

  EXPECT_EQ(Push(1, 0, 10).status.code(), StatusCode::kStaleEpoch);
  EXPECT_EQ(lanes_.Call(0, METHOD_OPEN_PARTITION, OpenRequest(0, 1)).status.code(),
            StatusCode::kStaleEpoch);
  EXPECT_THAT(Weights(), Each(0));
}

TEST_F(LaneTest, ExplainsARow) {
  Start();
  Pull(1);
  lanes_.clock().Advance(std::chrono::seconds(60));
  Push(1, 0, 10);
  ExplainRequest explain;
  explain.set_table(0);
  explain.set_key(kKeys[0]);

  const ExplainReply reply = lanes_.Call(0, METHOD_EXPLAIN, explain).Parse<ExplainReply>();

  EXPECT_TRUE(reply.found());
  EXPECT_EQ(reply.shard(), ShardOfKey(0, kKeys[0], kTestShards));
  EXPECT_EQ(reply.shows(), 1);
  EXPECT_EQ(reply.clicks(), 0);
  EXPECT_EQ(reply.last_seen_seconds(), lanes_.clock().WallSeconds());
  EXPECT_THAT(reply.weights(), ElementsAre(1, 1));
  explain.set_key(12345);
  EXPECT_FALSE(lanes_.Call(0, METHOD_EXPLAIN, explain).Parse<ExplainReply>().found());
  explain.set_table(9);
  EXPECT_EQ(lanes_.Call(0, METHOD_EXPLAIN, explain).status.code(), StatusCode::kInvalidArgument);
}

TEST_F(LaneTest, EchoesAsManyBytesAsAsked) {
  Start();
  EchoRequest echo;
  echo.set_reply_bytes(1000);
  EXPECT_EQ(lanes_.Call(0, METHOD_ECHO, echo).message.bulk()[0].size(), 1000u);
  echo.set_reply_bytes(uint64_t{1} << 60);
  EXPECT_EQ(lanes_.Call(0, METHOD_ECHO, echo).status.code(), StatusCode::kInvalidArgument);
}

TEST_F(LaneTest, AnswersMethodsOfOthersWithUnimplemented) {
  Start();
  EXPECT_EQ(lanes_.Call(0, METHOD_REGISTER, EchoRequest()).status.code(),
            StatusCode::kUnimplemented);
}

TEST(LaneShardTest, NamesTheLaneThatOwnsAKey) {
  MemoryFileSystem fs;
  TestLanes lanes(2, fs);
  lanes.Configure();
  Key key = 0;
  while (LaneOfKey(0, key, 2) != 1) {
    ++key;
  }
  const std::vector<Key> keys = {key};
  lanes.Call(0, METHOD_OPEN_PARTITION, OpenRequest(0, 1));
  PushRequest push = PushOf(1, 0, 1, 0, 10);
  push.set_has_keys(true);

  const Answer pull = lanes.Call(0, METHOD_PULL, PullOf(1, 0, 1), {BufferOf(keys)});
  const Answer pushed = lanes.Call(0, METHOD_PUSH, push,
                                   {BufferOf(std::vector<float>{1, 1}),
                                    BufferOf(std::vector<uint32_t>{0}), Buffer(), BufferOf(keys)});

  EXPECT_EQ(pull.status.code(), StatusCode::kWrongShard);
  EXPECT_THAT(pull.status.message(), HasSubstr("lies on lane 1 and not on this lane 0"));
  EXPECT_EQ(pushed.status.code(), StatusCode::kWrongShard);
}

}  // namespace
}  // namespace antiphon
