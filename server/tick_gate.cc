#include "server/tick_gate.h"

#include <algorithm>
#include <limits>

namespace antiphon {

void TickGate::SetMembers(uint64_t version, std::span<const Member> members) {
  if (version <= version_) {
    return;
  }
  version_ = version;
  std::unordered_map<Incarnation, Tick> ticks;
  for (const Member& member : members) {
    const auto known = ticks_.find(member.incarnation);
    ticks[member.incarnation] =
        known == ticks_.end() ? member.tick : std::max(known->second, member.tick);
  }
  ticks_ = std::move(ticks);
}

bool TickGate::Advance(Incarnation incarnation, Tick tick) {
  const auto member = ticks_.find(incarnation);
  if (member == ticks_.end() || member->second >= tick) {
    return false;
  }
  member->second = tick;
  return true;
}

void TickGate::Leave(Incarnation incarnation) {
  ticks_.erase(incarnation);
}

bool TickGate::MayPull(Incarnation incarnation, Tick tick) const {
  if (!max_staleness_.has_value() || !ticks_.contains(incarnation)) {
    return true;
  }
  // `tick` came from a peer: a huge negative one must not wrap around.
  constexpr Tick kLowest = std::numeric_limits<Tick>::min();
  const Tick bound = static_cast<Tick>(*max_staleness_);
  const Tick needed = tick < kLowest + bound ? kLowest : tick - bound;
  return std::all_of(ticks_.begin(), ticks_.end(),
                     [needed](const auto& member) { return member.second >= needed; });
}

uint64_t TickGate::lead() const {
  if (ticks_.empty()) {
    return 0;
  }
  const auto [slowest, fastest] =
      std::minmax_element(ticks_.begin(), ticks_.end(),
                          [](const auto& a, const auto& b) { return a.second < b.second; });
  return static_cast<uint64_t>(fastest->second) - static_cast<uint64_t>(slowest->second);
}

}  // namespace antiphon
