#include "scheduler/journal_thinning.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace antiphon {
namespace {

bool IsInSums(const JournalRecord& record) {
  return record.has_lease() || record.has_report() || record.has_measured() || record.has_leases();
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
                             (record.has_history() && ++histories > 1);
    if (!is_outdated && !IsInSums(record)) {
      kept.push_back(std::move(record));
    }
  }
  std::ranges::reverse(kept);
  std::ranges::move(sums, std::back_inserter(kept));
  return kept;
}

}  // namespace antiphon
