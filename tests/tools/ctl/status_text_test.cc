#include "tools/ctl/status_text.h"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace antiphon {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

ClusterStatus Running() {
  ClusterStatus status;
  status.set_job_name("census");
  status.set_state(JOB_RUNNING);
  status.set_consistency("BSP");
  status.set_partitions_total(12);
  status.set_samples_trained(1000);
  status.add_table_names("user");
  status.add_table_dims(8);
  status.mutable_view()->set_shard_count(2);
  status.mutable_view()->add_lane_of_shard(0);
  status.mutable_view()->add_lane_of_shard(0);
  NodeStatus& server = *status.add_nodes();
  server.set_role(ROLE_SERVER);
  LaneStatus& lane = *server.add_lanes();
  TableStatus& table = *lane.add_tables();
  table.set_table(0);
  table.set_rows(321);
  table.set_bytes(2048);
  NodeStatus& worker = *status.add_nodes();
  worker.set_role(ROLE_WORKER);
  worker.set_samples(1000);
  MetricLine& line = *status.add_metrics();
  line.set_task("click");
  line.set_auc(0.75);
  line.set_logloss(std::numeric_limits<double>::quiet_NaN());
  return status;
}

TEST(StatusTextTest, ShowsNodesLanesAndMetrics) {
  const std::string text = StatusText(Running(), 0);

  EXPECT_THAT(text, HasSubstr("job census  running  BSP"));
  EXPECT_THAT(text, HasSubstr("server/0  alive"));
  EXPECT_THAT(text, HasSubstr("worker/0  alive"));
  EXPECT_THAT(text, HasSubstr("0.7500"));
  EXPECT_THAT(text, HasSubstr("last snapshot: none"));
  EXPECT_THAT(text, Not(HasSubstr("PARTITION")));
}

TEST(StatusTextTest, SaysTheSameInJson) {
  const nlohmann::json json = nlohmann::json::parse(StatusJson(Running()));

  EXPECT_EQ(json["schema"], 1);
  EXPECT_EQ(json["state"], "running");
  EXPECT_EQ(json["degraded"], false);
  EXPECT_EQ(json["nodes"][0]["lanes"][0]["rows"], 321);
  EXPECT_EQ(json["nodes"][0]["lanes"][0]["shards"], 2);
  EXPECT_EQ(json["tables"][0]["bytes"], 2048);
  EXPECT_EQ(json["metrics"][0]["auc"], 0.75);
  EXPECT_TRUE(json["metrics"][0]["logloss"].is_null());
  EXPECT_TRUE(json["last_snapshot"].is_null());
}

TEST(StatusTextTest, IsDegradedWhenANodeIsDeadOrNobodyTrains) {
  EXPECT_FALSE(IsDegraded(Running()));

  ClusterStatus dead = Running();
  dead.mutable_nodes(0)->set_health(NodeStatus::DEAD);
  EXPECT_TRUE(IsDegraded(dead));

  ClusterStatus idle = Running();
  idle.mutable_nodes(1)->set_health(NodeStatus::LEFT);
  EXPECT_TRUE(IsDegraded(idle));
  idle.set_state(JOB_FINISHED);
  EXPECT_FALSE(IsDegraded(idle));

  ClusterStatus failed = Running();
  failed.set_state(JOB_FAILED);
  EXPECT_TRUE(IsDegraded(failed));
}

TEST(StatusTextTest, SaysWhatAStreamWaitsFor) {
  ClusterStatus status = Running();
  StreamStatus& stream = *status.add_streams();
  stream.set_name("events");
  stream.set_report_age_seconds(0.5);
  stream.mutable_last()->set_behind(7);
  EXPECT_FALSE(HasStreamAway(status));
  EXPECT_THAT(StreamsText(status, 0), Not(HasSubstr("waited")));

  stream.mutable_last()->set_away("/events: segment 42: it is missing");
  stream.mutable_last()->set_away_ms(11'500);

  EXPECT_TRUE(HasStreamAway(status));
  EXPECT_THAT(StreamsText(status, 0),
              HasSubstr("\nevents has waited 12.0 s for /events: segment 42: it is missing\n"));
  EXPECT_EQ(nlohmann::json::parse(StreamsJson(status))["streams"][0]["away_ms"], 11'500);

  stream.set_done(true);
  EXPECT_FALSE(HasStreamAway(status));
}

TEST(StatusTextTest, ReplacesWhatIsNotUtf8InJson) {
  ClusterStatus status = Running();
  status.set_job_name("a\xff");

  EXPECT_NO_THROW(nlohmann::json::parse(StatusJson(status)));
}

TEST(StatusTextTest, ExplainsARowAndAMissingOne) {
  ExplainReply row;
  row.set_shard(3);
  EXPECT_THAT(ExplainText("user", 42, row, 100), HasSubstr("no row"));

  row.set_found(true);
  row.set_shows(17);
  row.set_last_seen_seconds(40);
  row.add_weights(0.5F);
  const std::string text = ExplainText("user", 42, row, 100);

  EXPECT_THAT(text, HasSubstr("key 42 (0x000000000000002a)"));
  EXPECT_THAT(text, HasSubstr("shows 17"));
  EXPECT_THAT(text, HasSubstr("1m 0s ago"));
  EXPECT_THAT(text, HasSubstr("weights 0.500000"));
  EXPECT_EQ(nlohmann::json::parse(ExplainJson("user", 42, row))["weights"][0], 0.5);
}

TEST(StatusTextTest, ShowsShardsThatMoveAndWhoIsToLeave) {
  ClusterStatus status = Running();
  status.mutable_nodes(0)->set_draining(true);
  MoveStatus& done = *status.add_moves();
  done.set_reason("server 2 joined");
  done.set_shards(85);
  done.set_rows(9328);
  done.set_phase("done");
  done.set_closed_after(0.25);
  done.set_serving_after(0.5);
  MoveStatus& moving = *status.add_moves();
  moving.set_reason("server 0 is drained");
  moving.set_phase("reads the snapshot");

  const std::string text = StatusText(status, 0);
  const nlohmann::json json = nlohmann::json::parse(StatusJson(status));

  EXPECT_THAT(text, HasSubstr("server/0  draining"));
  EXPECT_THAT(text, HasSubstr("server 2 joined"));
  EXPECT_THAT(text, HasSubstr("250 ms"));
  EXPECT_THAT(text, HasSubstr("reads the snapshot"));
  EXPECT_EQ(json["nodes"][0]["draining"], true);
  EXPECT_EQ(json["moves"][0]["rows"], 9328);
  EXPECT_EQ(json["moves"][0]["serving_after"], 0.5);
  EXPECT_TRUE(json["moves"][1]["closed_after"].is_null());
}

}  // namespace
}  // namespace antiphon
