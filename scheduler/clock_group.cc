#include "scheduler/clock_group.h"

#include <algorithm>

namespace antiphon {

Tick ClockGroup::Join(Incarnation worker, Tick own) {
  const auto found = members_.find(worker);
  if (found != members_.end()) {
    found->second.idle_since.reset();
    Hear(worker, own);
    return found->second.tick;
  }
  const Tick tick = std::max(own, furthest_);
  members_[worker] = {.tick = tick, .idle_since = std::nullopt};
  furthest_ = tick;
  ++version_;
  return tick;
}

void ClockGroup::Hear(Incarnation worker, Tick tick) {
  const auto found = members_.find(worker);
  if (found != members_.end()) {
    found->second.tick = std::max(found->second.tick, tick);
    furthest_ = std::max(furthest_, tick);
  }
}

void ClockGroup::EndLease(Incarnation worker, Time now) {
  const auto found = members_.find(worker);
  if (found != members_.end()) {
    found->second.idle_since = now;
  }
}

void ClockGroup::Leave(Incarnation worker) {
  if (members_.erase(worker) > 0) {
    ++version_;
  }
}

void ClockGroup::Sweep(Time now) {
  const auto is_late = [&](const auto& member) {
    return member.second.idle_since.has_value() &&
           now - *member.second.idle_since > between_leases_;
  };
  if (std::erase_if(members_, is_late) > 0) {
    ++version_;
  }
}

std::optional<Tick> ClockGroup::TickOf(Incarnation worker) const {
  const auto found = members_.find(worker);
  return found == members_.end() ? std::nullopt : std::optional<Tick>(found->second.tick);
}

SetMembersRequest ClockGroup::ToRequest() const {
  SetMembersRequest request;
  request.set_version(version_);
  for (const auto& [incarnation, training] : members_) {
    Member& member = *request.add_members();
    member.set_incarnation(incarnation);
    member.set_tick(training.tick);
  }
  return request;
}

}  // namespace antiphon
