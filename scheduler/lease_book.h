// LeaseBook: which partition of the plan is trained or evaluated by whom, and how far it is.
//
// A state machine without a thread and without a clock. Partitions run in stages; a stage begins
// when every partition of the one before is done, and hands its partitions out in their order. Each
// lease of a partition has an epoch, one higher than that of the lease before: lanes refuse the
// pushes of older ones, so a worker that was believed dead cannot disturb its successor. Workers
// are named by their incarnation.
//
// An open-ended partition has no size: its holder yields it after a while, and it goes to the back
// of the queue, so that a few workers serve many of them in turn. Its positions have gaps, so its
// records are what counts as samples; elsewhere there are as many as positions.
//
// When a lane has lost what it learned, Rewind opens again what the lane must see again, done
// partitions included. Samples are counted once: a position that was reported before the rewind
// counts no sample when it is passed for the second time. Owned by the scheduler's thread.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "common/base/types.h"
#include "proto/journal_state.pb.h"
#include "proto/plan.pb.h"
#include "proto/snapshot.pb.h"

namespace antiphon {

struct Lease {
  PartitionId partition = 0;
  uint64_t lease_epoch = 0;
  Partition::Kind kind = Partition::TRAIN;
};

// What a holder says about its lease.
struct LeaseReport {
  PartitionId partition = 0;
  uint64_t lease_epoch = 0;
  uint64_t position = 0;          // every lane has applied what is before it
  uint64_t measured_through = 0;  // what is before it has been measured
  bool done = false;
  bool yielded = false;  // the lease is over, the partition is not
  uint64_t records = 0;  // before the position; only of an open-ended partition
};

class LeaseBook {
 public:
  enum class Answer { kLease, kWait, kFinished };
  struct Grant {
    Answer answer = Answer::kWait;
    Lease lease;  // with kLease
  };
  struct Entry {
    Partition::Kind kind = Partition::TRAIN;
    uint32_t stage = 0;
    uint32_t epoch = 0;
    bool open_ended = false;
    uint64_t size = 0;         // in positions; the greatest there is when open-ended
    uint64_t start = 0;        // records before this run: not 0 after a restore
    uint64_t position = 0;     // every lane has applied what is before it
    uint64_t records = 0;      // before the position
    uint64_t counted = 0;      // so many records are in samples_trained, or were at the start
    uint64_t measured = 0;     // what is before it is in the metrics
    uint64_t lease_epoch = 0;  // of the newest lease, 0 when there was none
    Incarnation holder = 0;    // 0: not leased
    bool done = false;
  };

  // The plan must hold what CheckPlan (plan_desk.h) promises.
  explicit LeaseBook(const TrainingPlan& plan);

  // Goes on from where a snapshot of the same partitions stood. Evaluations that no training
  // followed are run again: their numbers are in no snapshot. Before the first Acquire.
  void Resume(const std::vector<PartitionProgress>& progress);

  // Some lane was put back to where a snapshot stood whose manifest has this progress (nothing: to
  // the beginning). Every lease is over; training partitions that the snapshot did not hold to
  // their end are open, earlier stages first. Evaluations that were done stay done.
  void Rewind(const std::vector<PartitionProgress>& kept);

  // A lease for `worker`; the one that it holds already when it asks again.
  Grant Acquire(Incarnation worker);

  // kStaleEpoch: the lease is not the caller's any more, and nothing was changed.
  Status Report(Incarnation worker, const LeaseReport& report);

  // The worker is gone: its partition can be leased again.
  void Release(Incarnation worker);

  // The lease that `worker` holds, or null.
  const Lease* LeaseOf(Incarnation worker) const;
  const std::map<Incarnation, Lease>& leases() const { return leases_; }
  const std::vector<Entry>& entries() const { return entries_; }
  bool finished() const { return stage_ == stages_.size(); }
  bool training_done() const { return training_left_ == 0; }
  // How many stages are done; a stage's partitions all have the same kind and epoch.
  size_t stages_done() const { return stage_; }
  // The first partition of the stage with this ordinal.
  const Entry& FirstOfStage(size_t ordinal) const { return entries_[stages_[ordinal].front()]; }

  uint64_t samples_trained() const { return samples_trained_; }  // in this run
  uint64_t SamplesPlanned() const;                               // of this run
  // Counted samples that some lane has to learn again.
  uint64_t replay_samples() const { return replay_samples_; }
  uint32_t partitions_done() const { return partitions_done_; }
  std::vector<PartitionProgress> Progress() const;

  // All of it, and back (scheduler/journal_state.cc). kDataLoss: it is of another plan, or
  // contradicts itself; the book is then of no use.
  LeaseBookState Save() const;
  Status Load(const LeaseBookState& state);

 private:
  void Advance(Entry& entry, uint64_t position, uint64_t records);
  void EndPartition(Entry& entry);
  // To be leased after all that are open already when it is open-ended, otherwise in its turn.
  void MakeOpen(PartitionId partition);
  void OpenStage();
  void OpenFirstStage();
  bool TrainingFollows(size_t stage) const;
  void LoadEntry(PartitionId partition, const LeaseEntryState& state);

  std::vector<Entry> entries_;
  std::vector<std::vector<PartitionId>> stages_;
  size_t stage_ = 0;                                 // ordinal of the stage that runs
  std::set<std::pair<uint64_t, PartitionId>> open_;  // of that stage: neither leased nor done
  uint64_t last_turn_ = 0;                           // given to an open-ended partition
  uint32_t left_ = 0;                                // of that stage: not done
  uint32_t training_left_ = 0;                       // training partitions that are not done
  std::map<Incarnation, Lease> leases_;
  uint64_t samples_trained_ = 0;
  uint64_t replay_samples_ = 0;
  uint32_t partitions_done_ = 0;
};

}  // namespace antiphon
