#include "scheduler/snapshot_schedule.h"

#include <chrono>
#include <utility>

namespace antiphon {

void SnapshotSchedule::Begin(const SnapshotPolicy& policy, Time now, uint64_t samples) {
  policy_ = policy;
  Began(now, samples);
}

bool SnapshotSchedule::Due(Time now, uint64_t samples) const {
  const bool by_time =
      policy_.every_seconds() > 0 && now - last_ >= std::chrono::seconds(policy_.every_seconds());
  const bool by_samples =
      policy_.every_samples() > 0 && samples >= last_samples_ + policy_.every_samples();
  return by_time || by_samples;
}

void SnapshotSchedule::Began(Time now, uint64_t samples) {
  last_ = now;
  last_samples_ = samples;
}

const SnapshotLink* SnapshotSchedule::predecessor() const {
  return committed_.has_value() && deltas_ < policy_.deltas_between_full() ? &*committed_ : nullptr;
}

void SnapshotSchedule::Committed(SnapshotLink link) {
  deltas_ = link.manifest.kind() == SnapshotManifest::DELTA ? deltas_ + 1 : 0;
  committed_ = std::move(link);
}

void SnapshotSchedule::Failed() {
  committed_.reset();
}

}  // namespace antiphon
