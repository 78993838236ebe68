#include "tools/ctl/status_json.h"

#include <cmath>

#include <nlohmann/json.hpp>

#include "common/cluster/job_state_name.h"
#include "tools/ctl/cluster_sums.h"
#include "tools/ctl/status_text.h"

namespace antiphon {
namespace {

using Json = nlohmann::ordered_json;

Json NumberOrNull(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

// Steps that have not been reached yet are null.
Json After(bool has, double seconds) {
  return has ? Json(seconds) : Json(nullptr);
}

Json RecoveryJson(const RecoveryStatus& recovery) {
  return {{"server", recovery.server()},
          {"lost", recovery.lost()},
          {"lost_seconds", recovery.lost_seconds()},
          {"restored_from", recovery.restored_from()},
          {"replaced_after", After(recovery.has_replaced_after(), recovery.replaced_after())},
          {"serving_after", After(recovery.has_serving_after(), recovery.serving_after())},
          {"relearned_after", After(recovery.has_relearned_after(), recovery.relearned_after())},
          {"replay_samples", recovery.replay_samples()}};
}

Json MoveJson(const MoveStatus& move) {
  return {{"reason", move.reason()},
          {"began_seconds", move.began_seconds()},
          {"shards", move.shards()},
          {"rows", move.rows()},
          {"phase", move.phase()},
          {"closed_after", After(move.has_closed_after(), move.closed_after())},
          {"serving_after", After(move.has_serving_after(), move.serving_after())}};
}

Json LaneJson(const LaneStatus& lane, const ClusterView& view) {
  Json json = {{"lane", lane.lane()},
               {"shards", ShardsOf(view, lane.lane())},
               {"rows", RowsOf(lane)},
               {"bytes", lane.bytes()},
               {"dense_floats", lane.dense_floats()},
               {"pulls_total", lane.pulls_total()},
               {"pushes_total", lane.pushes_total()},
               {"duplicate_pushes_total", lane.duplicate_pushes_total()},
               {"refused_total", lane.refused_total()},
               {"pulled_keys_total", lane.pulled_keys_total()},
               {"pushed_keys_total", lane.pushed_keys_total()},
               {"parked_pulls", lane.parked_pulls()},
               {"bad_frames_total", lane.bad_frames_total()},
               {"staleness_max", lane.staleness_max()},
               {"positions", Json::array()}};
  for (const PartitionPosition& position : lane.positions()) {
    json["positions"].push_back({{"partition", position.partition()},
                                 {"lease_epoch", position.lease_epoch()},
                                 {"applied_through", position.applied_through()},
                                 {"records", position.records()}});
  }
  return json;
}

Json NodeJson(const NodeStatus& node, const ClusterView& view) {
  Json json = {{"role", RoleName(node.role())},
               {"node", node.node()},
               {"health", HealthName(node.health())},
               {"draining", node.draining()},
               {"host", node.host()},
               {"pid", node.pid()},
               {"silent_seconds", node.silent_seconds()}};
  if (node.role() == ROLE_WORKER) {
    json["samples"] = node.samples();
    json["tick"] = node.has_tick() ? Json(node.tick()) : Json(nullptr);
    return json;
  }
  json["lanes"] = Json::array();
  for (const LaneStatus& lane : node.lanes()) {
    json["lanes"].push_back(LaneJson(lane, view));
  }
  return json;
}

Json PartitionJson(const PartitionStatus& partition) {
  return {{"partition", partition.partition()}, {"kind", partition.evaluation() ? "eval" : "train"},
          {"worker", partition.worker()},       {"lease_epoch", partition.lease_epoch()},
          {"position", partition.position()},   {"size", partition.size()}};
}

Json TablesArray(const ClusterStatus& status) {
  Json tables = Json::array();
  for (const TableSum& sum : SumTables(status)) {
    tables.push_back({{"table", sum.name},
                      {"dim", sum.dim},
                      {"rows", sum.rows},
                      {"bytes", sum.bytes},
                      {"admitted", sum.admitted},
                      {"refused",
                       {{"count", sum.refused_by_count},
                        {"chance", sum.refused_by_chance},
                        {"memory", sum.refused_by_memory}}},
                      {"evicted",
                       {{"age", sum.evicted_by_age},
                        {"score", sum.evicted_by_score},
                        {"memory", sum.evicted_by_memory}}}});
  }
  return tables;
}

Json StreamJson(const StreamStatus& stream) {
  Json json = {{"partition", stream.partition()},
               {"name", stream.name()},
               {"worker", stream.has_worker() ? Json(stream.worker()) : Json(nullptr)},
               {"position", stream.position()},
               {"records", stream.records()},
               {"done", stream.done()}};
  if (stream.has_last()) {
    json["behind"] = stream.last().behind();
    json["behind_unit"] = stream.last().behind_in_bytes() ? "bytes" : "records";
    json["gaps"] = stream.last().gaps();
    json["gap_positions"] = stream.last().gap_positions();
    json["report_age_seconds"] = stream.report_age_seconds();
    json["away"] = stream.last().has_away() ? Json(stream.last().away()) : Json(nullptr);
    json["away_ms"] = stream.last().away_ms();
  }
  if (stream.last().has_newest_event_ms()) {
    json["newest_event_ms"] = stream.last().newest_event_ms();
  }
  return json;
}

Json StreamsArray(const ClusterStatus& status) {
  Json streams = Json::array();
  for (const StreamStatus& stream : status.streams()) {
    streams.push_back(StreamJson(stream));
  }
  return streams;
}

}  // namespace

std::string DumpJson(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Json MetricJson(const MetricLine& line) {
  Json json = {{"task", line.task()},
               {"scene", line.scene().empty() ? Json(nullptr) : Json(line.scene())},
               {"phase", line.evaluation() ? "eval" : "train"},
               {"samples", line.samples()},
               {"auc", NumberOrNull(line.auc())},
               {"logloss", NumberOrNull(line.logloss())},
               {"pcoc", NumberOrNull(line.pcoc())},
               {"ne", NumberOrNull(line.ne())}};
  if (line.has_mse()) {
    json["mse"] = line.mse();
    json["mae"] = line.mae();
  }
  if (line.has_pair_accuracy()) {
    json["pair_accuracy"] = line.pair_accuracy();
  }
  if (line.has_weight()) {
    json["weight"] = line.weight();
  }
  if (line.has_mean_weight()) {
    json["mean_weight"] = line.mean_weight();
  }
  return json;
}

std::string StatusJson(const ClusterStatus& status) {
  Json json = {{"schema", kStatusSchema},
               {"job", status.job_name()},
               {"state", JobStateName(status.state())},
               {"reason", status.reason()},
               {"degraded", IsDegraded(status)},
               {"consistency", status.consistency()},
               {"uptime_seconds", status.uptime_seconds()},
               {"samples_trained", status.samples_trained()},
               {"samples_planned", status.samples_planned()},
               {"samples_per_second", status.samples_per_second()},
               {"replay_samples", status.replay_samples()},
               {"partitions_done", status.partitions_done()},
               {"partitions_total", status.partitions_total()},
               {"bad_rows", status.bad_rows()},
               {"shards", status.view().shard_count()},
               {"last_snapshot", nullptr},
               {"nodes", Json::array()},
               {"partitions", Json::array()},
               {"streams", StreamsArray(status)},
               {"tables", TablesArray(status)},
               {"metrics", Json::array()},
               {"recoveries", Json::array()},
               {"moves", Json::array()}};
  for (const RecoveryStatus& recovery : status.recoveries()) {
    json["recoveries"].push_back(RecoveryJson(recovery));
  }
  for (const MoveStatus& move : status.moves()) {
    json["moves"].push_back(MoveJson(move));
  }
  if (!status.last_snapshot().empty()) {
    json["last_snapshot"] = {{"directory", status.last_snapshot()},
                             {"written_seconds", status.last_snapshot_seconds()}};
  }
  if (status.snapshots_failed() > 0) {
    json["snapshots_failed"] = {{"count", status.snapshots_failed()},
                                {"since_seconds", status.snapshots_fail_since_seconds()},
                                {"reason", status.snapshot_failure()}};
  }
  for (const NodeStatus& node : status.nodes()) {
    json["nodes"].push_back(NodeJson(node, status.view()));
  }
  for (const PartitionStatus& partition : status.partitions()) {
    json["partitions"].push_back(PartitionJson(partition));
  }
  for (const MetricLine& line : status.metrics()) {
    json["metrics"].push_back(MetricJson(line));
  }
  json["alarms"] = status.alarms();
  return DumpJson(json);
}

std::string StreamsJson(const ClusterStatus& status) {
  return DumpJson({{"schema", kStatusSchema}, {"streams", StreamsArray(status)}});
}

std::string TablesJson(const ClusterStatus& status) {
  return DumpJson({{"schema", kStatusSchema}, {"tables", TablesArray(status)}});
}

std::string ExplainJson(const std::string& table, uint64_t key, const ExplainReply& row) {
  Json json = {{"schema", kStatusSchema}, {"table", table},     {"key", key},
               {"shard", row.shard()},    {"lane", row.lane()}, {"found", row.found()}};
  if (row.found()) {
    json["shows"] = row.shows();
    json["clicks"] = row.clicks();
    json["last_seen_seconds"] = row.last_seen_seconds();
    json["weights"] = row.weights();
    json["state"] = row.state();
  }
  return DumpJson(json);
}

}  // namespace antiphon
