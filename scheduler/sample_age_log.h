// SampleAgeLog: how old the samples are that were trained since the last snapshot.
//
// A worker says how old samples were when they were trained; they grow older until the snapshot
// begins that has them. The log keeps what came, with the time when it came, and ages each part
// once, at the cut, so that nothing is rounded again and again. Parts that came long ago are put
// together as long as they span less than a sixteenth of the time since: a day is a few hundred
// parts. Owned by the scheduler's thread.
#pragma once

#include <vector>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "common/math/age_histogram.h"
#include "proto/journal_state.pb.h"

namespace antiphon {

class SampleAgeLog {
 public:
  // Samples were so old at `at`.
  void Add(Time at, const AgeHistogram& ages);

  // A snapshot begins: how old at `at` everything is that no snapshot has. What an earlier cut had
  // counts again, unless it was committed.
  AgeHistogram Cut(Time at);
  // The snapshot that began last has what came before its cut.
  void Commit() { before_cut_.clear(); }

  // A snapshot has all of it.
  void Clear();

  // All that no snapshot has, and back (scheduler/journal_state.cc). kInvalidArgument: it makes no
  // sense.
  void Save(Time now, LeasesState* out) const;
  Status Load(const LeasesState& state, Time then);

 private:
  struct Part {
    Time first;
    Time last;
    AgeHistogram ages;
  };

  void PutOldPartsTogether(Time now);

  std::vector<Part> before_cut_;  // in the order of their times, as are those behind it
  std::vector<Part> parts_;
};

}  // namespace antiphon
