// AirSchedule: which hosts are on air in which half hour.
//
// A host has a season (some start or stop streaming inside the period), a favourite hour and a
// usual length of show; every day it comes or stays away. A pure function of hosts, calendar and
// seed; frozen after construction.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/rng.h"
#include "simulation/calendar.h"
#include "simulation/hosts.h"

namespace antiphon {

class AirSchedule {
 public:
  AirSchedule(const std::vector<Host>& hosts, const Calendar& calendar, uint64_t seed);

  // Indices of the hosts on air, ascending; never empty.
  std::span<const uint32_t> OnAir(int slot) const;
  bool IsOnAir(uint32_t host, int slot) const;

  // Index of a host on air: popular ones more often.
  uint32_t Draw(int slot, Rng& rng) const;

 private:
  struct Slot {
    std::vector<uint32_t> hosts;
    std::vector<double> popularity_through;  // running total
  };
  void Broadcast(const Host& host, int days, Rng& rng);

  std::vector<Slot> slots_;
};

}  // namespace antiphon
