// MoveLog: which shards went to other lanes, why, and how long lanes stood still for it. For ps_ctl
// and people.
//
// A state machine without a thread; `now` is passed in. Owned by the scheduler's thread.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "common/base/clock.h"
#include "proto/cluster.pb.h"

namespace antiphon {

class MoveLog {
 public:
  // A move of so many shards begins.
  void Began(const std::string& reason, uint32_t shards, Time now, int64_t wall_seconds);
  // Of the move that began last: what it does now; how many rows its lanes have read; that lanes
  // stand still; that they serve again, with the shards where they should be; that it was given up.
  void Phase(const std::string& phase) { entries_.back().status.set_phase(phase); }
  void Read(uint64_t rows) { entries_.back().status.set_rows(rows); }
  void Closed(Time now);
  void Serving(Time now);
  void GivenUp(const std::string& why);

  // The last ones, oldest first.
  template <typename Out>
  void Describe(Out* out) const {
    for (const Entry& entry : entries_) {
      *out->Add() = entry.status;
    }
  }

 private:
  struct Entry {
    MoveStatus status;
    Time began_at;
  };
  static constexpr size_t kMaxEntries = 32;

  std::deque<Entry> entries_;
};

}  // namespace antiphon
