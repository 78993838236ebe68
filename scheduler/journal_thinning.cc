#include "scheduler/journal_thinning.h"

#include <algorithm>
#include <cstdint>
#include <set>
#include <tuple>
#include <utility>

namespace antiphon {
namespace {

// Names a lease: the worker that holds it, the partition, the lease's epoch.
using LeaseKey = std::tuple<uint64_t, uint32_t, uint64_t>;

LeaseKey LeaseOf(const JournalReport& report) {
  return {report.sender(), report.request().partition(), report.request().lease_epoch()};
}

}  // namespace

std::vector<JournalRecord> ThinOut(std::vector<JournalRecord> records, MetricsState measured) {
  const int64_t wall_seconds = records.empty() ? 0 : records.back().wall_seconds();
  std::set<LeaseKey> later;
  std::vector<JournalRecord> kept;
  for (auto record = records.rbegin(); record != records.rend(); ++record) {
    if (record->has_measured()) {
      continue;
    }
    if (record->has_report()) {
      if (!later.insert(LeaseOf(record->report())).second) {
        continue;
      }
      record->mutable_report()->clear_delta();
    }
    kept.push_back(std::move(*record));
  }
  std::ranges::reverse(kept);
  JournalRecord& sums = kept.emplace_back();
  sums.set_wall_seconds(wall_seconds);
  *sums.mutable_measured() = std::move(measured);
  return kept;
}

}  // namespace antiphon
