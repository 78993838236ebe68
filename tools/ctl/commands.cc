#include "tools/ctl/commands.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "common/cluster/shard_map.h"
#include "tools/ctl/key_of_value.h"
#include "tools/ctl/status_text.h"
#include "tools/ctl/tasks_page.h"

namespace antiphon {
namespace {

StatusOr<ClusterStatus> AskStatus(CtlContext& context, uint32_t windows = 0) {
  StatusRequest request;
  request.set_windows(windows);
  return context.client.Ask<ClusterStatus>(METHOD_STATUS, request, context.timeout);
}

std::optional<Key> ParseKey(const std::string& text) {
  if (!text.starts_with("0x") && !text.starts_with("0X")) {
    return ParseUint(text);
  }
  Key key = 0;
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data() + 2, end, key, 16);
  return result.ec == std::errc() && result.ptr == end ? std::optional(key) : std::nullopt;
}

StatusOr<TableId> FindTable(const ClusterStatus& status, const std::string& name) {
  const std::vector<std::string> names(status.table_names().begin(), status.table_names().end());
  for (TableId table = 0; table < names.size(); ++table) {
    if (names[table] == name) {
      return table;
    }
  }
  const std::string nearest = NearestName(name, names);
  return InvalidArgumentError("there is no table '" + name + "'" +
                              (nearest.empty() ? "" : ", did you mean '" + nearest + "'?") +
                              "; ps_ctl tables lists them");
}

StatusOr<CtlExit> ExplainRow(CtlContext& context, const std::string& table, Key key) {
  AP_ASSIGN_OR_RETURN(const ClusterStatus status, AskStatus(context));
  const ClusterView& view = status.view();
  if (view.lanes_size() == 0) {
    return FailedPreconditionError("the cluster is not ready: its shards have no lanes yet");
  }
  ExplainRequest request;
  AP_ASSIGN_OR_RETURN(const TableId table_id, FindTable(status, table));
  request.set_table(table_id);
  request.set_key(key);
  const ShardId shard = ShardOfKey(table_id, key, view.shard_count());
  const LaneId lane = view.lane_of_shard(static_cast<int>(shard));
  AP_ASSIGN_OR_RETURN(
      const ExplainReply row,
      context.client.AskLane<ExplainReply>(view, lane, METHOD_EXPLAIN, request, context.timeout));
  context.out << (context.format == OutputFormat::kJson
                      ? ExplainJson(table, key, row)
                      : ExplainText(table, key, row, context.clock.WallSeconds()));
  return CtlExit::kHealthy;
}

StatusOr<DrainRequest> ParseNode(const std::string& text) {
  constexpr uint64_t kNone = ~uint64_t{0};
  const size_t slash = std::min(text.find('/'), text.size());
  const std::string role = text.substr(0, slash);
  const uint64_t number = ParseUint(text.substr(std::min(slash + 1, text.size()))).value_or(kNone);
  if ((role != "server" && role != "worker") || number > std::numeric_limits<uint32_t>::max()) {
    return InvalidArgumentError("'" + text +
                                "' is not a node, expected one such as server/1 or worker/0; "
                                "ps_ctl status lists them");
  }
  DrainRequest request;
  request.set_role(role == "server" ? ROLE_SERVER : ROLE_WORKER);
  request.set_node(static_cast<uint32_t>(number));
  return request;
}

}  // namespace

CtlExit CtlExitFor(const Status& status) {
  switch (status.code()) {
    case StatusCode::kOk:
      return CtlExit::kHealthy;
    case StatusCode::kInvalidArgument:
      return CtlExit::kUsage;
    case StatusCode::kUnavailable:
      return CtlExit::kUnreachable;
    case StatusCode::kDeadlineExceeded:
      return CtlExit::kTimeout;
    default:
      return CtlExit::kDegraded;
  }
}

StatusOr<TrainingPlan> AskPlan(CtlContext& context) {
  AP_ASSIGN_OR_RETURN(const auto reply, context.client.Ask<GetPlanReply>(
                                            METHOD_GET_PLAN, GetPlanRequest(), context.timeout));
  if (!reply.ready()) {
    return FailedPreconditionError("the cluster is not ready: there is no training plan yet");
  }
  TrainingPlan plan;
  const std::span<const std::byte> bytes = context.client.bulk();
  if (!plan.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return DataLossError("the scheduler's answer has no readable training plan");
  }
  return plan;
}

StatusOr<CtlExit> ShowStatus(CtlContext& context) {
  AP_ASSIGN_OR_RETURN(const ClusterStatus status, AskStatus(context));
  context.out << (context.format == OutputFormat::kJson
                      ? StatusJson(status)
                      : StatusText(status, context.clock.WallSeconds()));
  return IsDegraded(status) ? CtlExit::kDegraded : CtlExit::kHealthy;
}

StatusOr<CtlExit> ShowTasks(CtlContext& context, uint32_t windows) {
  AP_ASSIGN_OR_RETURN(const ClusterStatus status, AskStatus(context, windows));
  context.out << (context.format == OutputFormat::kJson ? TasksJson(status) : TasksText(status));
  return status.alarms_size() > 0 ? CtlExit::kDegraded : CtlExit::kHealthy;
}

StatusOr<CtlExit> ShowTables(CtlContext& context) {
  AP_ASSIGN_OR_RETURN(const ClusterStatus status, AskStatus(context));
  context.out << (context.format == OutputFormat::kJson ? TablesJson(status) : TablesText(status));
  return CtlExit::kHealthy;
}

StatusOr<CtlExit> ShowStreams(CtlContext& context) {
  AP_ASSIGN_OR_RETURN(const ClusterStatus status, AskStatus(context));
  context.out << (context.format == OutputFormat::kJson
                      ? StreamsJson(status)
                      : StreamsText(status, context.clock.WallSeconds()));
  return HasStreamAway(status) ? CtlExit::kDegraded : CtlExit::kHealthy;
}

StatusOr<CtlExit> ExplainKey(CtlContext& context, const std::string& table,
                             const std::string& key) {
  const std::optional<Key> parsed = ParseKey(key);
  if (!parsed.has_value()) {
    return InvalidArgumentError("'" + key +
                                "' is not a key, expected a number such as 42 or 0x2a, below 2^64; "
                                "--value looks up a text of the data");
  }
  return ExplainRow(context, table, *parsed);
}

StatusOr<CtlExit> ExplainValue(CtlContext& context, const std::string& table,
                               const std::string& value) {
  AP_ASSIGN_OR_RETURN(const TrainingPlan plan, AskPlan(context));
  AP_ASSIGN_OR_RETURN(const Key key, KeyOfValue(plan, table, value));
  return ExplainRow(context, table, key);
}

StatusOr<CtlExit> TakeSnapshot(CtlContext& context, const std::string& directory) {
  SnapshotRequest request;
  if (!directory.empty()) {
    // The scheduler has another working folder than the person who asks.
    std::error_code error;
    request.set_directory(std::filesystem::absolute(directory, error).lexically_normal().string());
    if (error) {
      return InvalidArgumentError("--dir=" + directory + ": " + error.message());
    }
  }
  AP_ASSIGN_OR_RETURN(const SnapshotReply reply,
                      context.client.Ask<SnapshotReply>(METHOD_SNAPSHOT, request, context.timeout));
  if (context.format == OutputFormat::kJson) {
    const nlohmann::ordered_json json = {{"schema", 1},
                                         {"directory", reply.directory()},
                                         {"version", reply.version()},
                                         {"rows", reply.rows()},
                                         {"bytes", reply.bytes()}};
    context.out << json.dump(2) << "\n";
  } else {
    context.out << "snapshot " << reply.version() << ": " << reply.directory() << ", "
                << reply.rows() << " rows, " << FormatBytes(reply.bytes()) << "\n";
  }
  return CtlExit::kHealthy;
}

StatusOr<CtlExit> DrainNode(CtlContext& context, const std::string& node) {
  AP_ASSIGN_OR_RETURN(const DrainRequest request, ParseNode(node));
  AP_RETURN_IF_ERROR(
      context.client.Ask<DrainReply>(METHOD_DRAIN, request, context.timeout).status());
  if (context.format == OutputFormat::kJson) {
    const nlohmann::ordered_json json = {{"schema", 1}, {"draining", node}};
    context.out << json.dump() << "\n";
  } else {
    context.out << node << " leaves when "
                << (request.role() == ROLE_SERVER ? "its shards have moved to other servers"
                                                  : "it has finished its batch")
                << "; ps_ctl status shows it\n";
  }
  return CtlExit::kHealthy;
}

StatusOr<CtlExit> StopJob(CtlContext& context) {
  AP_RETURN_IF_ERROR(
      context.client.Ask<StopReply>(METHOD_STOP, StopRequest(), context.timeout).status());
  context.out << (context.format == OutputFormat::kJson ? "{\"schema\": 1, \"stopping\": true}\n"
                                                        : "stopping\n");
  return CtlExit::kHealthy;
}

}  // namespace antiphon
