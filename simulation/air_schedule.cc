#include "simulation/air_schedule.h"

#include <algorithm>
#include <cmath>

#include "common/base/hash.h"

namespace antiphon {
namespace {

constexpr uint64_t kScheduleStream = 4;
constexpr double kComesToday = 0.8;
constexpr double kStartsInPeriod = 0.15;  // share of hosts whose season begins inside the period
constexpr double kStopsInPeriod = 0.10;
constexpr int kShortestShow = 4;  // half hours
constexpr int kLongestShow = 16;

// Where a show may begin: the evening is fuller than the night, but every hour has somebody.
int PickFirstSlot(Rng& rng) {
  constexpr int kEveningBegin = 34;
  constexpr int kEveningSlots = 10;
  constexpr double kEvening = 0.5;
  if (rng.Chance(kEvening)) {
    return kEveningBegin + static_cast<int>(rng.Below(kEveningSlots));
  }
  return static_cast<int>(rng.Below(kSlotsADay));
}

}  // namespace

AirSchedule::AirSchedule(const std::vector<Host>& hosts, const Calendar& calendar, uint64_t seed,
                         double lifetime_days)
    : slots_(static_cast<size_t>(calendar.slot_count())) {
  Rng rng(Mix64(seed, kScheduleStream));
  for (const Host& host : hosts) {
    if (lifetime_days > 0) {
      LiveOnce(host, lifetime_days, rng);
    } else {
      Broadcast(host, calendar.days(), rng);
    }
  }
  // With few hosts a slot may be left without one; the platform then repeats somebody's show.
  for (Slot& slot : slots_) {
    if (slot.hosts.empty()) {
      const uint64_t stand_in = rng.Below(hosts.size());
      slot.hosts.push_back(static_cast<uint32_t>(stand_in));
      slot.popularity_through.push_back(hosts[stand_in].popularity);
    }
  }
}

void AirSchedule::Broadcast(const Host& host, int days, Rng& rng) {
  const int last_slot = static_cast<int>(slots_.size()) - 1;
  const int season_begin =
      rng.Chance(kStartsInPeriod) ? static_cast<int>(rng.Uniform() * last_slot) : 0;
  const int season_end =
      rng.Chance(kStopsInPeriod) ? static_cast<int>(rng.Uniform() * last_slot) : last_slot;
  const int usual_first_slot = PickFirstSlot(rng);
  const int length = kShortestShow + static_cast<int>(rng.Below(kLongestShow - kShortestShow + 1));
  // From the evening before, so that the first night has the shows that run past midnight.
  for (int day = -1; day < days; ++day) {
    if (!rng.Chance(kComesToday)) {
      continue;
    }
    const int first = std::max(day * kSlotsADay + usual_first_slot, season_begin);
    const int last = std::min(day * kSlotsADay + usual_first_slot + length - 1, season_end);
    PutOnAir(host, first, last);
  }
}

void AirSchedule::LiveOnce(const Host& host, double lifetime_days, Rng& rng) {
  const auto period = static_cast<double>(slots_.size());
  const double lifetime = std::max(lifetime_days * kSlotsADay, 1.0);
  // Some live already when the period begins, so that at any time about as many are there.
  const double begin = rng.Uniform() * (period + lifetime) - lifetime;
  const double end = std::min(begin + lifetime, period);
  PutOnAir(host, static_cast<int>(std::max(std::ceil(begin), 0.0)),
           static_cast<int>(std::ceil(end)) - 1);
}

void AirSchedule::PutOnAir(const Host& host, int first_slot, int last_slot) {
  for (int slot = first_slot; slot <= last_slot; ++slot) {
    Slot& air = slots_[static_cast<size_t>(slot)];
    const double before = air.hosts.empty() ? 0 : air.popularity_through.back();
    air.hosts.push_back(host.id);
    air.popularity_through.push_back(before + host.popularity);
  }
}

std::span<const uint32_t> AirSchedule::OnAir(int slot) const {
  return slots_.at(static_cast<size_t>(slot)).hosts;
}

bool AirSchedule::IsOnAir(uint32_t host, int slot) const {
  const std::span<const uint32_t> on_air = OnAir(slot);
  return std::binary_search(on_air.begin(), on_air.end(), host);
}

uint32_t AirSchedule::Draw(int slot, Rng& rng) const {
  const Slot& air = slots_.at(static_cast<size_t>(slot));
  const double drawn = rng.Uniform() * air.popularity_through.back();
  const auto chosen = std::min(
      std::upper_bound(air.popularity_through.begin(), air.popularity_through.end(), drawn),
      air.popularity_through.end() - 1);
  return air.hosts[static_cast<size_t>(chosen - air.popularity_through.begin())];
}

}  // namespace antiphon
