#include "scheduler/journal_thinning.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <tuple>
#include <utility>

#include "common/math/age_histogram.h"

namespace antiphon {
namespace {

// Names a lease: the worker that holds it, the partition, the lease's epoch.
using LeaseKey = std::tuple<uint64_t, uint32_t, uint64_t>;

LeaseKey LeaseOf(const JournalReport& report) {
  return {report.sender(), report.request().partition(), report.request().lease_epoch()};
}

// The last report of a lease, and the ages of samples that all its reports told.
struct LastReport {
  int64_t wall_seconds = 0;
  JournalReport* report = nullptr;
  std::unique_ptr<AgeHistogram> ages;  // null: none, as of most leases
};

void AddAges(const JournalRecord& record, LastReport& last) {
  const StatusOr<AgeHistogram> ages = AgeHistogram::FromProto(record.report().delta().ages());
  if (!ages.ok() || ages->count() == 0) {
    return;
  }
  if (last.ages == nullptr) {
    last.ages = std::make_unique<AgeHistogram>();
  }
  last.ages->MergeOlder(*ages, 1000 * (last.wall_seconds - record.wall_seconds()));
}

}  // namespace

std::vector<JournalRecord> ThinOut(std::vector<JournalRecord> records, MetricsState measured,
                                   int64_t ages_since_seconds) {
  const int64_t wall_seconds = records.empty() ? 0 : records.back().wall_seconds();
  std::map<LeaseKey, LastReport> last_reports;
  std::vector<JournalRecord> kept;
  kept.reserve(records.size() + 1);  // last_reports points into it
  for (auto record = records.rbegin(); record != records.rend(); ++record) {
    if (record->has_measured()) {
      continue;
    }
    if (!record->has_report()) {
      kept.push_back(std::move(*record));
      continue;
    }
    const auto [found, is_last] = last_reports.try_emplace(LeaseOf(record->report()));
    LastReport& last = found->second;
    if (is_last) {
      last.wall_seconds = record->wall_seconds();
    }
    if (record->wall_seconds() >= ages_since_seconds) {
      AddAges(*record, last);
    }
    if (is_last) {
      record->mutable_report()->clear_delta();
      last.report = kept.emplace_back(std::move(*record)).mutable_report();
    }
  }
  for (auto& [lease, last] : last_reports) {
    if (last.ages != nullptr) {
      last.ages->ToProto(*last.report->mutable_delta()->mutable_ages());
    }
  }
  std::ranges::reverse(kept);
  JournalRecord& sums = kept.emplace_back();
  sums.set_wall_seconds(wall_seconds);
  *sums.mutable_measured() = std::move(measured);
  return kept;
}

}  // namespace antiphon
