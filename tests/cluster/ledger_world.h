// LedgerWorld: a scheduler, lanes and workers on one thread, one fake clock and one seed, trained
// on a ledger: sample i adds 1 to key i, so after any run every key must hold exactly 1.
//
// Faults come from the seed: messages are lost, doubled, delayed and overtaken; workers are killed
// and replaced, or sleep until their lease is over and wake up as zombies; servers are killed, with
// all that they learned, and replaced, or others inherit their shards, while snapshots are taken
// now and then; servers join, servers and workers are drained, and shards move; the scheduler is
// killed and another one goes on from its journal. The same seed always gives the same run.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/base/rng.h"
#include "common/net/memory_transport.h"
#include "proto/plan.pb.h"
#include "scheduler/scheduler.h"
#include "server/position_ledger.h"
#include "tests/support/fake_clock.h"
#include "tests/support/memory_file_system.h"

namespace antiphon {

struct LedgerWorldOptions {
  uint64_t seed = 1;
  PositionCheck check = PositionCheck::kOn;
};

// What a run came to.
struct LedgerOutcome {
  bool finished = false;  // the job ended within the simulated time
  std::string problem;    // of the scheduler, when it did not
  int never = 0;          // samples that nobody trained
  int repeatedly = 0;     // samples that were trained more than once
  int kills = 0;          // of workers
  int naps = 0;
  int server_kills = 0;
  int scheduler_kills = 0;
  int snapshots = 0;
  bool extended = false;  // got another task on the way
  int measured = 0;       // samples in the metrics; those of killed workers may be missing
  int misread = 0;        // in the metrics of a task that they are not of
  int joins = 0;          // of servers
  int drains = 0;         // of servers and workers
  int moves = 0;          // of shards, that came to their end while the last scheduler lived
  int moves_failed = 0;   // likewise, that were given up
  int inherited = 0;      // likewise, of the shards of servers that nobody replaced
  int samples = 0;

  bool exact() const {
    return finished && never == 0 && repeatedly == 0 && misread == 0 && measured <= samples;
  }
};

class LedgerWorld {
 public:
  explicit LedgerWorld(const LedgerWorldOptions& options);
  ~LedgerWorld();

  LedgerOutcome Run();

 private:
  struct PsCtl;
  struct SimServer;
  struct SimWorker;

  void DrawShape();
  void StartWorker();
  void StartScheduler();
  void StartServer();
  void Disturb();
  void DisturbServers();
  void DisturbScheduler();
  void GiveOrders();
  TrainingPlan GrownPlan() const;
  void Drain();
  void RemoveServer(size_t index);
  bool MayDoWithout(const SimServer& server) const;
  void GiveUpServer();
  bool NeedsServer() const;
  void PollEverybody();
  bool JobHasEnded() const;
  bool EveryLaneIsThere() const;
  void CountMoves(LedgerOutcome& outcome) const;
  void CountWeights(LedgerOutcome& outcome);
  void CountMeasured(LedgerOutcome& outcome) const;

  const LedgerWorldOptions options_;
  Rng rng_;
  FakeClock clock_;
  MemoryFileSystem fs_;
  MemoryTransport transport_{clock_};
  TrainingPlan plan_;
  Position batch_size_ = 1;
  uint32_t pull_ahead_ = 0;
  uint32_t wanted_workers_ = 1;
  uint32_t wanted_servers_ = 1;
  int kills_left_ = 0;
  int naps_left_ = 0;
  int kills_ = 0;
  int naps_ = 0;
  int server_kills_left_ = 0;
  int server_kills_ = 0;
  Time server_due_{};
  std::set<Incarnation> given_up_;  // servers that are not replaced
  int joins_left_ = 0;
  int joins_ = 0;
  int drains_left_ = 0;
  int scheduler_kills_left_ = 0;
  int scheduler_kills_ = 0;
  Time scheduler_due_{};
  bool will_be_extended_ = false;
  SchedulerOptions scheduler_options_;
  Incarnation last_incarnation_ = 1000;
  std::unique_ptr<Scheduler> scheduler_;
  std::unique_ptr<PsCtl> ps_ctl_;
  std::vector<std::unique_ptr<SimServer>> servers_;
  std::vector<std::unique_ptr<SimWorker>> workers_;
};

}  // namespace antiphon
