#include "scheduler/clock_group.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <limits>
#include <map>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/rng.h"

namespace antiphon {
namespace {

const Time kStart = Time() + std::chrono::hours(1);

TEST(ClockGroupTest, KeepsTheTickOfAMemberThatGetsItsNextLease) {
  ClockGroup group;
  EXPECT_EQ(group.Join(1, 0), 0);
  const uint64_t version = group.version();
  group.EndLease(1, kStart);

  EXPECT_EQ(group.Join(1, 128), 128);
  EXPECT_EQ(group.version(), version);
}

TEST(ClockGroupTest, LetsANewMemberStartWhereTheFurthestIs) {
  ClockGroup group;
  group.Join(1, 0);
  group.Hear(1, 500);

  EXPECT_EQ(group.Join(2, 0), 500);
}

TEST(ClockGroupTest, RemembersTheFurthestTickWhenEverybodyHasLeft) {
  ClockGroup group;
  group.Join(1, 0);
  group.Hear(1, 500);
  group.Leave(1);

  EXPECT_EQ(group.Join(2, 0), 500);
  EXPECT_EQ(group.Join(1, 500), 500);
}

TEST(ClockGroupTest, DropsAMemberThatAsksForNoOtherLease) {
  ClockGroup group(std::chrono::seconds(1));
  group.Join(1, 0);
  group.Join(2, 0);
  group.EndLease(1, kStart);

  group.Sweep(kStart + std::chrono::milliseconds(900));
  EXPECT_TRUE(group.Contains(1));
  group.Sweep(kStart + std::chrono::milliseconds(1100));

  EXPECT_FALSE(group.Contains(1));
  EXPECT_TRUE(group.Contains(2));
}

TEST(ClockGroupTest, MakesANewVersionOnlyWhenSomethingChanged) {
  ClockGroup group;
  group.Join(1, 0);
  const uint64_t version = group.version();

  group.Leave(7);
  group.Hear(1, 3);
  group.Sweep(kStart);

  EXPECT_EQ(group.version(), version);
  group.Leave(1);
  EXPECT_EQ(group.version(), version + 1);
}

// One lane's side of the clock: a pull of tick t waits while a member's tick is below t - bound.
class GateModel {
 public:
  explicit GateModel(Tick bound) : bound_(bound) {}

  void SetMembers(const SetMembersRequest& request) {
    if (request.version() < version_) {
      return;
    }
    version_ = request.version();
    std::map<Incarnation, Tick> next;
    for (const Member& member : request.members()) {
      const auto known = ticks_.find(member.incarnation());
      next[member.incarnation()] =
          known == ticks_.end() ? member.tick() : std::max(known->second, member.tick());
    }
    ticks_ = std::move(next);
  }
  void Hear(Incarnation worker, Tick tick) {
    const auto known = ticks_.find(worker);
    if (known != ticks_.end()) {
      known->second = std::max(known->second, tick);
    }
  }
  bool Parks(Incarnation worker, Tick tick) const {
    return ticks_.contains(worker) &&
           std::any_of(ticks_.begin(), ticks_.end(),
                       [&](const auto& member) { return member.second < tick - bound_; });
  }
  uint64_t version() const { return version_; }

 private:
  Tick bound_;
  uint64_t version_ = 0;
  std::map<Incarnation, Tick> ticks_;
};

// Workers that join, train, idle, leave and die at random against lanes that hear of it late and
// out of order.
class ClockSimulation {
 public:
  ClockSimulation(uint64_t seed, Tick bound, size_t lanes)
      : rng_(seed), lanes_(lanes, GateModel(bound)), late_(lanes) {}

  void RandomEvent() {
    now_ += std::chrono::milliseconds(20);
    const Incarnation worker = 1 + rng_.Below(5);
    switch (rng_.Below(10)) {
      case 0:
        Lease(worker);
        break;
      case 1:
        EndLease(worker);
        break;
      case 2:
        if (rng_.Chance(0.3)) {
          group_.Leave(worker);  // dead; a new process may take the number
          workers_.erase(worker);
        }
        break;
      case 3:
        if (workers_.contains(worker)) {
          group_.Hear(worker, workers_[worker].tick);
        }
        break;
      case 4:
        DeliverOne();
        break;
      case 5:
        group_.Sweep(now_);
        break;
      default:
        Step(worker);
        break;
    }
    Publish();
  }

  // Everything on its way arrives, and no worker changes its mind: then every one that trains must
  // be able to go on.
  bool EverybodyAdvances(int steps) {
    now_ += std::chrono::seconds(5);
    group_.Sweep(now_);
    Publish();
    for (size_t lane = 0; lane < lanes_.size(); ++lane) {
      lanes_[lane].SetMembers(group_.ToRequest());
      late_[lane].clear();
    }
    std::map<Incarnation, Tick> before;
    for (const auto& [name, worker] : workers_) {
      before[name] = worker.tick;
    }
    for (int i = 0; i < steps; ++i) {
      for (auto& [name, worker] : workers_) {
        Step(name);
      }
    }
    return std::all_of(workers_.begin(), workers_.end(), [&](const auto& entry) {
      return !entry.second.trains || entry.second.tick > before[entry.first];
    });
  }

  // Once all lanes know the members, no two of them are further apart than the bound allows.
  Tick Spread() const {
    Tick low = std::numeric_limits<Tick>::max();
    Tick high = std::numeric_limits<Tick>::min();
    for (const auto& [name, worker] : workers_) {
      if (worker.trains) {
        low = std::min(low, worker.tick);
        high = std::max(high, worker.tick);
      }
    }
    return high < low ? 0 : high - low;
  }

 private:
  struct Worker {
    Tick tick = 0;
    bool trains = false;
  };

  void Lease(Incarnation name) {
    Worker& worker = workers_[name];
    if (rng_.Chance(0.3)) {
      group_.Leave(name);  // nothing to lease, or an evaluation
      worker.trains = false;
      return;
    }
    worker.tick = std::max(worker.tick, group_.Join(name, worker.tick));
    worker.trains = true;
  }

  void EndLease(Incarnation name) {
    if (workers_.contains(name) && workers_[name].trains) {
      group_.Hear(name, workers_[name].tick);
      group_.EndLease(name, now_);
      workers_[name].trains = false;
    }
  }

  // A pull at all lanes, and the push that answers it when none of them held it back.
  void Step(Incarnation name) {
    const auto found = workers_.find(name);
    if (found == workers_.end() || !found->second.trains) {
      return;
    }
    bool parked = false;
    for (GateModel& lane : lanes_) {
      lane.Hear(name, found->second.tick);
      parked = parked || lane.Parks(name, found->second.tick);
    }
    if (parked) {
      return;
    }
    ++found->second.tick;
    for (GateModel& lane : lanes_) {
      lane.Hear(name, found->second.tick);
    }
  }

  void Publish() {
    if (group_.version() != published_) {
      published_ = group_.version();
      for (auto& queue : late_) {
        queue.push_back(group_.ToRequest());
      }
    }
  }

  void DeliverOne() {
    const size_t lane = rng_.Below(lanes_.size());
    auto& queue = late_[lane];
    if (!queue.empty()) {
      const size_t which = rng_.Below(queue.size());
      lanes_[lane].SetMembers(queue[which]);
      queue.erase(queue.begin() + static_cast<std::ptrdiff_t>(which));
    }
  }

  Rng rng_;
  Time now_ = kStart;
  ClockGroup group_;
  std::vector<GateModel> lanes_;
  std::vector<std::deque<SetMembersRequest>> late_;
  std::map<Incarnation, Worker> workers_;
  uint64_t published_ = 0;
};

TEST(ClockGroupTest, NeverLetsAPullWaitForEver) {
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    for (const Tick bound : {0, 1, 3}) {
      ClockSimulation simulation(seed, bound, 3);
      for (int event = 0; event < 200; ++event) {
        simulation.RandomEvent();
      }
      // The slowest may be far behind after a stretch without its membership; it catches up.
      ASSERT_TRUE(simulation.EverybodyAdvances(1000)) << "seed " << seed << " bound " << bound;
      ASSERT_LE(simulation.Spread(), bound + 1) << "seed " << seed << " bound " << bound;
    }
  }
}

}  // namespace
}  // namespace antiphon
