#include "scheduler/journal_thinning.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "scheduler/leases_state.h"

namespace antiphon {
namespace {

bool IsInSums(const JournalRecord& record) {
  return record.has_lease() || record.has_report() || record.has_measured() ||
         LeasesOf(record).ok();
}

}  // namespace

std::vector<JournalRecord> ThinOut(std::vector<JournalRecord> records,
                                   std::vector<JournalRecord> sums) {
  std::vector<JournalRecord> kept;
  size_t snapshots = 0;
  for (auto record = records.rbegin(); record != records.rend(); ++record) {
    const bool is_outdated = record->has_snapshot() && ++snapshots > kSnapshotsInJournal;
    if (!is_outdated && !IsInSums(*record)) {
      kept.push_back(std::move(*record));
    }
  }
  std::ranges::reverse(kept);
  std::ranges::move(sums, std::back_inserter(kept));
  return kept;
}

}  // namespace antiphon
