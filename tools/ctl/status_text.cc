#include "tools/ctl/status_text.h"

#include <algorithm>
#include <cstdio>

#include "common/base/text.h"
#include "common/base/text_table.h"
#include "common/cluster/job_state_name.h"
#include "tools/ctl/cluster_sums.h"

namespace antiphon {
namespace {

std::string Number(uint64_t value) {
  return std::to_string(value);
}

std::string AgoText(int64_t then, int64_t now) {
  return FormatSeconds(static_cast<double>(now > then ? now - then : 0)) + " ago";
}

std::string HeadText(const ClusterStatus& status, int64_t wall_seconds) {
  std::string text = "job " + (status.job_name().empty() ? "?" : status.job_name()) + "  " +
                     JobStateName(status.state());
  if (!status.consistency().empty()) {
    text += "  " + status.consistency();
  }
  text += "  up " + FormatSeconds(status.uptime_seconds()) + "\n";
  if (!status.reason().empty()) {
    text += "reason: " + status.reason() + "\n";
  }
  if (status.partitions_total() > 0) {
    text += "samples " + FormatCount(static_cast<double>(status.samples_trained())) + " / " +
            FormatCount(static_cast<double>(status.samples_planned())) + "  " +
            FormatCount(status.samples_per_second()) + "/s  partitions " +
            Number(status.partitions_done()) + " / " + Number(status.partitions_total()) +
            "  bad rows " + Number(status.bad_rows()) + "\n";
    if (status.replay_samples() > 0) {
      text += "to learn again: " + FormatCount(static_cast<double>(status.replay_samples())) +
              " samples on the lanes of a server that was lost\n";
    }
  }
  text += "last snapshot: " +
          (status.last_snapshot().empty()
               ? std::string("none")
               : status.last_snapshot() + " (" +
                     AgoText(status.last_snapshot_seconds(), wall_seconds) + ")") +
          "\n";
  for (const std::string& alarm : status.alarms()) {
    text += "alarm: " + alarm + "\n";
  }
  if (status.snapshots_failed() > 0) {
    text += "snapshots fail since " + AgoText(status.snapshots_fail_since_seconds(), wall_seconds) +
            " (" + Number(status.snapshots_failed()) + "): " + status.snapshot_failure() + "\n";
  }
  return text;
}

std::string HealthOf(const NodeStatus& node) {
  const bool drains = node.draining() && node.health() == NodeStatus::ALIVE;
  return drains ? "draining" : HealthName(node.health());
}

std::string NodesText(const ClusterStatus& status) {
  TextTable table({"NODE", "HEALTH", "HOST", "PID", "SILENT", "SAMPLES", "TICK"}, 3);
  for (const NodeStatus& node : status.nodes()) {
    const bool worker = node.role() == ROLE_WORKER;
    table.AddRow({std::string(RoleName(node.role())) + "/" + Number(node.node()), HealthOf(node),
                  node.host(), std::to_string(node.pid()),
                  FormatFixed(node.silent_seconds(), 1) + "s", worker ? Number(node.samples()) : "",
                  worker && node.has_tick() ? std::to_string(node.tick()) : ""});
  }
  return table.empty() ? "" : "\n" + table.ToString();
}

std::string LanesText(const ClusterStatus& status) {
  TextTable table({"LANE", "SERVER", "SHARDS", "ROWS", "BYTES", "PULLS", "PUSHES", "DOUBLED",
                   "REFUSED", "PARKED", "LEAD"},
                  0);
  for (const NodeStatus& node : status.nodes()) {
    for (const LaneStatus& lane : node.lanes()) {
      table.AddRow({Number(lane.lane()), Number(node.node()),
                    Number(ShardsOf(status.view(), lane.lane())), Number(RowsOf(lane)),
                    FormatBytes(lane.bytes()), Number(lane.pulls_total()),
                    Number(lane.pushes_total()), Number(lane.duplicate_pushes_total()),
                    Number(lane.refused_total()), Number(lane.parked_pulls()),
                    Number(lane.staleness_max())});
    }
  }
  return table.empty() ? "" : "\n" + table.ToString();
}

std::string SecondsOrDash(bool has, double seconds) {
  return has ? FormatSeconds(seconds) : "-";
}

std::string RecoveriesText(const ClusterStatus& status, int64_t wall_seconds) {
  TextTable table({"LOST SERVER", "WHEN", "HOW", "RESTORED FROM", "REPLACED", "SERVING",
                   "LEARNED AGAIN", "SAMPLES"},
                  4);
  for (const RecoveryStatus& recovery : status.recoveries()) {
    table.AddRow({Number(recovery.server()), AgoText(recovery.lost_seconds(), wall_seconds),
                  recovery.lost(),
                  recovery.restored_from().empty() ? "the beginning" : recovery.restored_from(),
                  SecondsOrDash(recovery.has_replaced_after(), recovery.replaced_after()),
                  SecondsOrDash(recovery.has_serving_after(), recovery.serving_after()),
                  SecondsOrDash(recovery.has_relearned_after(), recovery.relearned_after()),
                  Number(recovery.replay_samples())});
  }
  return table.empty() ? "" : "\n" + table.ToString();
}

std::string MovesText(const ClusterStatus& status, int64_t wall_seconds) {
  TextTable table({"SHARDS MOVE", "WHEN", "PHASE", "SHARDS", "ROWS", "AFTER", "CLOSED FOR"}, 3);
  for (const MoveStatus& move : status.moves()) {
    const bool served = move.has_serving_after();
    table.AddRow({move.reason(), AgoText(move.began_seconds(), wall_seconds), move.phase(),
                  Number(move.shards()), Number(move.rows()),
                  SecondsOrDash(served, move.serving_after()),
                  SecondsOrDash(served, move.serving_after() - move.closed_after())});
  }
  return table.empty() ? "" : "\n" + table.ToString();
}

std::string LeasesText(const ClusterStatus& status) {
  TextTable table({"PARTITION", "KIND", "WORKER", "LEASE", "POSITION", "SIZE"}, 2);
  for (const PartitionStatus& partition : status.partitions()) {
    table.AddRow({Number(partition.partition()), partition.evaluation() ? "eval" : "train",
                  Number(partition.worker()), Number(partition.lease_epoch()),
                  Number(partition.position()), Number(partition.size())});
  }
  return table.empty() ? "" : "\n" + table.ToString();
}

// A number that not every line has.
struct OptionalColumn {
  const char* header;
  bool (MetricLine::*has)() const;
  double (MetricLine::*value)() const;
};

// Those of them that some line has.
std::vector<OptionalColumn> OptionalColumns(const ClusterStatus& status) {
  std::vector<OptionalColumn> columns = {
      {"MSE", &MetricLine::has_mse, &MetricLine::mse},
      {"MAE", &MetricLine::has_mae, &MetricLine::mae},
      {"PAIRS", &MetricLine::has_pair_accuracy, &MetricLine::pair_accuracy},
      {"WEIGHT", &MetricLine::has_weight, &MetricLine::weight},
      {"MEAN WEIGHT", &MetricLine::has_mean_weight, &MetricLine::mean_weight}};
  std::erase_if(columns, [&status](const OptionalColumn& column) {
    return std::none_of(status.metrics().begin(), status.metrics().end(),
                        [&column](const MetricLine& line) { return (line.*column.has)(); });
  });
  return columns;
}

std::string MetricsText(const ClusterStatus& status) {
  const std::vector<OptionalColumn> optional = OptionalColumns(status);
  std::vector<std::string> headers = {"TASK", "SCENE",   "PHASE", "SAMPLES",
                                      "AUC",  "LOGLOSS", "NE",    "PCOC"};
  for (const OptionalColumn& column : optional) {
    headers.emplace_back(column.header);
  }
  TextTable table(std::move(headers), 3);
  for (const MetricLine& line : status.metrics()) {
    std::vector<std::string> cells = {line.task(),
                                      line.scene().empty() ? "all" : line.scene(),
                                      line.evaluation() ? "eval" : "train",
                                      FormatFixed(line.samples(), 0),
                                      FormatFixed(line.auc(), 4),
                                      FormatFixed(line.logloss(), 4),
                                      FormatFixed(line.ne(), 4),
                                      FormatFixed(line.pcoc(), 3)};
    for (const OptionalColumn& column : optional) {
      cells.push_back((line.*column.has)() ? FormatFixed((line.*column.value)(), 4) : "-");
    }
    table.AddRow(std::move(cells));
  }
  return table.empty() ? "" : "\n" + table.ToString();
}

std::string FloatsText(const google::protobuf::RepeatedField<float>& values) {
  std::string text;
  for (const float value : values) {
    text += (text.empty() ? "" : " ") + FormatFixed(static_cast<double>(value), 6);
  }
  return text;
}

bool IsAway(const StreamStatus& stream) {
  return !stream.done() && stream.last().has_away();
}

std::string AwayText(const ClusterStatus& status) {
  std::string text;
  for (const StreamStatus& stream : status.streams()) {
    if (IsAway(stream)) {
      const double seconds =
          static_cast<double>(stream.last().away_ms()) / 1000 + stream.report_age_seconds();
      text += stream.name() + " has waited " + FormatSeconds(seconds) + " for " +
              stream.last().away() + "\n";
    }
  }
  return text.empty() ? "" : "\n" + text;
}

}  // namespace

bool IsDegraded(const ClusterStatus& status) {
  bool worker_lives = false;
  for (const NodeStatus& node : status.nodes()) {
    if (node.health() == NodeStatus::DEAD) {
      return true;
    }
    worker_lives =
        worker_lives || (node.role() == ROLE_WORKER && node.health() == NodeStatus::ALIVE);
  }
  return status.state() == JOB_FAILED || status.alarms_size() > 0 ||
         status.snapshots_failed() > 0 || (status.state() == JOB_RUNNING && !worker_lives);
}

std::string StatusText(const ClusterStatus& status, int64_t wall_seconds) {
  return HeadText(status, wall_seconds) + NodesText(status) + LanesText(status) +
         RecoveriesText(status, wall_seconds) + MovesText(status, wall_seconds) +
         LeasesText(status) + MetricsText(status);
}

bool HasStreamAway(const ClusterStatus& status) {
  return std::ranges::any_of(status.streams(), IsAway);
}

std::string StreamsText(const ClusterStatus& status, int64_t wall_seconds) {
  TextTable table({"PARTITION", "RECORDS", "POSITION", "BEHIND", "EVENT_LAG_S", "GAPS", "WORKER"},
                  1);
  for (const StreamStatus& stream : status.streams()) {
    const StreamReport& last = stream.last();
    const std::string unit = last.behind_in_bytes() ? " B" : "";
    table.AddRow(
        {stream.name(), std::to_string(stream.records()), std::to_string(stream.position()),
         stream.has_last() ? std::to_string(last.behind()) + unit : "",
         last.has_newest_event_ms() ? Number(static_cast<uint64_t>(std::max<int64_t>(
                                          wall_seconds - last.newest_event_ms() / 1000, 0)))
                                    : "",
         std::to_string(last.gaps()),
         stream.done()         ? "done"
         : stream.has_worker() ? std::to_string(stream.worker())
                               : ""});
  }
  return table.empty() ? "the job reads no stream\n" : table.ToString() + AwayText(status);
}

std::string TablesText(const ClusterStatus& status) {
  // REFUSED and EVICTED are sums; behind them is what they are made of.
  TextTable table({"TABLE", "DIM", "ROWS", "BYTES", "ADMITTED", "REFUSED", "COUNT", "CHANCE",
                   "MEMORY", "EVICTED", "AGE", "SCORE", "MEMORY"},
                  1);
  for (const TableSum& sum : SumTables(status)) {
    table.AddRow(
        {sum.name, Number(sum.dim), Number(sum.rows), FormatBytes(sum.bytes), Number(sum.admitted),
         Number(sum.refused_by_count + sum.refused_by_chance + sum.refused_by_memory),
         Number(sum.refused_by_count), Number(sum.refused_by_chance), Number(sum.refused_by_memory),
         Number(sum.evicted_by_age + sum.evicted_by_score + sum.evicted_by_memory),
         Number(sum.evicted_by_age), Number(sum.evicted_by_score), Number(sum.evicted_by_memory)});
  }
  return table.ToString();
}

std::string ExplainText(const std::string& table, uint64_t key, const ExplainReply& row,
                        int64_t wall_seconds) {
  char hex[24];
  std::snprintf(hex, sizeof(hex), "0x%016llx", static_cast<unsigned long long>(key));
  std::string text = "table " + table + "  key " + Number(key) + " (" + hex + ")\nshard " +
                     Number(row.shard()) + "  lane " + Number(row.lane()) + "\n";
  if (!row.found()) {
    return text + "no row: the key has not been trained; it reads as zeros in evaluations\n";
  }
  text += "shows " + FormatFixed(row.shows(), 0) + "  clicks " + FormatFixed(row.clicks(), 0) +
          "  last seen " + AgoText(row.last_seen_seconds(), wall_seconds) + "\n";
  text += "weights " + FloatsText(row.weights()) + "\n";
  if (row.state_size() > 0) {
    text += "optimizer state " + FloatsText(row.state()) + "\n";
  }
  return text;
}

}  // namespace antiphon
