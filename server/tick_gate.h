// TickGate: how far ahead of the slowest worker a pull may read (BSP, SSP and ASP).
//
// A worker's tick is the number of its pushes that this lane has applied since it joined. A pull
// at tick c may go once every member's tick is at least c - staleness: staleness 0 is BSP, and
// without a bound every pull may go, which is ASP. A state machine without thread or clock: owned
// by the lane, which keeps the pulls that wait.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>

#include "common/base/types.h"

namespace antiphon {

class TickGate {
 public:
  struct Member {
    Incarnation incarnation = 0;
    Tick tick = 0;
  };

  explicit TickGate(std::optional<uint32_t> max_staleness) : max_staleness_(max_staleness) {}

  // Whose ticks count from now on; ignored unless `version` is newer than the last. A member that
  // stays keeps its tick when that is the higher one.
  void SetMembers(uint64_t version, std::span<const Member> members);

  // The member has completed `tick` pushes. True when that is news: ticks never go back, and
  // strangers are ignored.
  bool Advance(Incarnation incarnation, Tick tick);

  // The member holds nobody back any more, until a later SetMembers names it again.
  void Leave(Incarnation incarnation);

  // A pull of somebody who is no member never waits: nobody would count it, and it may be a worker
  // that only evaluates.
  bool MayPull(Incarnation incarnation, Tick tick) const;

  // Whether all pushes of a step are there: under BSP, when everybody has pushed as often; else a
  // push is a step of its own.
  bool IsStepWhole() const { return max_staleness_ != 0U || lead() == 0; }

  // Ticks by which the fastest member leads the slowest.
  uint64_t lead() const;
  size_t member_count() const { return ticks_.size(); }

 private:
  std::optional<uint32_t> max_staleness_;
  uint64_t version_ = 0;
  std::unordered_map<Incarnation, Tick> ticks_;
};

}  // namespace antiphon
