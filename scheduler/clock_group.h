// ClockGroup: whose ticks count for BSP and SSP.
//
// A lane answers a pull of tick t once every member's tick is at least t - staleness. A member that
// does not train would hold the others back for ever, so the group is exactly the workers that
// train. A state machine without a thread: every change makes a new version, which the scheduler
// sends to all lanes until they have it.
//
// Why no pull can wait for ever: the slowest member is never parked itself (its own tick is the
// minimum, and lanes take a pull's tick as news about its sender); so it trains, or ends its lease
// and leaves, or dies and is swept out, and each of these raises the minimum or takes it away.
// While a lane has not heard of a new member yet, that one's pulls are not held back and hold
// nobody back: asynchronous for a moment, which is harmless. Owned by the scheduler's thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "common/base/clock.h"
#include "common/base/types.h"
#include "proto/cluster.pb.h"
#include "proto/journal_state.pb.h"

namespace antiphon {

class ClockGroup {
 public:
  // A member that has ended its lease stays for up to `between_leases`: most get the next one at
  // once, and leaving in between would let the others run ahead.
  explicit ClockGroup(Duration between_leases = std::chrono::seconds(1))
      : between_leases_(between_leases) {}

  // `worker` got a lease to train. Returns its tick from now on: a member keeps its own; one that
  // joins starts where the furthest member was last heard to be, so that nobody waits for it to
  // catch up with steps that it had no part in.
  Tick Join(Incarnation worker, Tick own);

  // `worker` has completed this many pushes.
  void Hear(Incarnation worker, Tick tick);

  // `worker` ended its lease and will ask for another.
  void EndLease(Incarnation worker, Time now);

  // `worker` does not train: nothing to lease, an evaluation, or it is dead.
  void Leave(Incarnation worker);

  // Drops members that have had no lease for too long.
  void Sweep(Time now);

  // Versions from now on are newer than any that the schedulers before the `epoch`-th gave out.
  void OutrankVersions(uint64_t epoch) {
    constexpr int kVersionsOfAnEpoch = 40;  // bits
    version_ = (epoch << kVersionsOfAnEpoch) + 1;
  }

  bool Contains(Incarnation worker) const { return members_.contains(worker); }
  // The tick that was last heard of a member; nothing for others.
  std::optional<Tick> TickOf(Incarnation worker) const;
  size_t size() const { return members_.size(); }
  uint64_t version() const { return version_; }
  SetMembersRequest ToRequest() const;

  // The members, and back (scheduler/journal_state.cc); the version stays this group's own.
  void Save(Time now, LeasesState* out) const;
  void Load(const LeasesState& state, Time then);

 private:
  struct Training {
    Tick tick = 0;
    std::optional<Time> idle_since;  // set between two leases
  };

  Duration between_leases_;
  std::map<Incarnation, Training> members_;
  Tick furthest_ = 0;  // of all that were ever heard
  uint64_t version_ = 0;
};

}  // namespace antiphon
