#include "scheduler/journal_thinning.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "scheduler/journal_state.h"

namespace antiphon {
namespace {

bool IsInSums(const JournalRecord& record) {
  const StatusOr<std::optional<JournalStateRecord>> state = StateOf(record);
  const bool has_leases = state.ok() && state->has_value() && (*state)->has_leases();
  return record.has_lease() || record.has_report() || record.has_measured() || has_leases;
}

bool HasHistory(const JournalRecord& record) {
  const StatusOr<std::optional<JournalStateRecord>> state = StateOf(record);
  return state.ok() && state->has_value() && (*state)->has_history();
}

}  // namespace

std::vector<JournalRecord> ThinOut(std::vector<JournalRecord> records,
                                   std::vector<JournalRecord> sums) {
  std::vector<JournalRecord> kept;
  size_t snapshots = 0;
  size_t histories = 0;
  std::ranges::reverse(records);  // the last ones first
  for (JournalRecord& record : records) {
    const bool is_outdated = (record.has_snapshot() && ++snapshots > kSnapshotsInJournal) ||
                             (HasHistory(record) && ++histories > 1);
    if (!is_outdated && !IsInSums(record)) {
      kept.push_back(std::move(record));
    }
  }
  std::ranges::reverse(kept);
  std::ranges::move(sums, std::back_inserter(kept));
  return kept;
}

}  // namespace antiphon
