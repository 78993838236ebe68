// SnapshotSchedule: when the next snapshot of a running job is due, and whether it is a full one.
//
// A state machine without a thread; `now` is passed in. Owned by the scheduler's thread.
#pragma once

#include <cstdint>
#include <optional>

#include "common/base/clock.h"
#include "common/ckpt/snapshot_chain.h"
#include "proto/snapshot_policy.pb.h"

namespace antiphon {

class SnapshotSchedule {
 public:
  // Training begins now, with so many samples behind it.
  void Begin(const SnapshotPolicy& policy, Time now, uint64_t samples);

  // By time or by samples, whichever comes first; after a failure as after a success.
  bool Due(Time now, uint64_t samples) const;
  void Began(Time now, uint64_t samples);

  // What a delta that begins now would follow; null: the next one is full.
  const SnapshotLink* predecessor() const;

  // What lanes count their changes from; null: they do not.
  const SnapshotLink* last() const { return committed_.has_value() ? &*committed_ : nullptr; }

  // The round that began last was committed as this.
  void Committed(SnapshotLink link);
  // It was not: some lanes may have forgotten what changed since the one before.
  void Failed();

 private:
  SnapshotPolicy policy_;
  Time last_;
  uint64_t last_samples_ = 0;
  std::optional<SnapshotLink> committed_;
  uint32_t deltas_ = 0;  // behind the last full one
};

}  // namespace antiphon
