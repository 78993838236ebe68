#include "scheduler/journal_summary.h"

#include <algorithm>
#include <set>

#include "scheduler/cluster_view.h"

namespace antiphon {

namespace {

bool HasAny(const ClusterView& view, const std::set<Incarnation>& servers) {
  return std::ranges::any_of(view.lanes(), [&servers](const LaneAddress& lane) {
    return servers.contains(lane.incarnation());
  });
}

}  // namespace

StatusOr<JournalSummary> Summarize(const std::vector<JournalRecord>& records) {
  JournalSummary summary;
  std::set<Incarnation> gone;
  for (const JournalRecord& record : records) {
    switch (record.change_case()) {
      case JournalRecord::kStart:
        summary.cluster_id = record.start().cluster_id();
        summary.address = record.start().address();
        summary.servers = record.start().servers();
        summary.scheduler_epoch = record.start().scheduler_epoch() + 1;
        break;
      case JournalRecord::kBuilding:
        summary.last_view_epoch = record.building().epoch();
        // A server that is lost does not move shards: only a move that has come to its end does.
        // Where all servers lived, it took everything along; else a snapshot had to do.
        if (summary.whole.lanes_size() > 0 && !SamePlacement(summary.whole, record.building())) {
          summary.goes_back = summary.goes_back || HasAny(summary.whole, gone);
          summary.whole = record.building();
        }
        break;
      case JournalRecord::kGone:
        gone.insert(record.gone().sender());
        break;
      case JournalRecord::kReady:
        summary.goes_back = false;
        summary.whole = record.ready().view();
        summary.ready_epoch = record.ready().view().epoch();
        break;
      case JournalRecord::kSnapshot:
        summary.snapshots.push_back(record);
        break;
      case JournalRecord::kHistory:
        summary.history = record.history();
        break;
      case JournalRecord::CHANGE_NOT_SET:
        return DataLossError("a record is of a kind that this scheduler does not know");
      default:
        break;
    }
  }
  if (!records.empty() && summary.cluster_id == 0) {
    return DataLossError("no record says which cluster this journal is of");
  }
  return summary;
}

Status CheckSameJob(const JournalSummary& before, uint32_t servers) {
  if (before.servers == servers) {
    return Status();
  }
  return FailedPreconditionError(
      "its job has --servers=" + std::to_string(before.servers) +
      ", this scheduler was started with --servers=" + std::to_string(servers));
}

JournalRecord StartRecord(uint64_t cluster_id, const std::string& address, uint32_t servers,
                          uint64_t scheduler_epoch) {
  JournalRecord record;
  JournalStart& start = *record.mutable_start();
  start.set_cluster_id(cluster_id);
  start.set_address(address);
  start.set_servers(servers);
  start.set_scheduler_epoch(scheduler_epoch);
  return record;
}

}  // namespace antiphon
