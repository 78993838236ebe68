// AirSchedule: which hosts are on air in which half hour.
//
// A host has a season (some start or stop streaming inside the period), a favourite hour and a
// usual length of show; every day it comes or stays away. Or all hosts live for the same time, on
// air around the clock. A pure function of hosts, calendar, seed and lifetime; frozen after
// construction.
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
  // `lifetime_days` as in PlatformOptions.
  AirSchedule(const std::vector<Host>& hosts, const Calendar& calendar, uint64_t seed,
              double lifetime_days = 0);

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
  // The shows of one host.
  void Broadcast(const Host& host, int days, Rng& rng);
  // All slots of a life that begins at a random moment.
  void LiveOnce(const Host& host, double lifetime_days, Rng& rng);
  void PutOnAir(const Host& host, int first_slot, int last_slot);

  std::vector<Slot> slots_;
};

}  // namespace antiphon
