// MoveLog: which shards went to other lanes, why, and how long lanes stood still for it. For ps_ctl
// and people.
//
// A state machine without a thread; `now` is passed in. Owned by the scheduler's thread.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/clock.h"
#include "proto/cluster.pb.h"
#include "proto/journal_state.pb.h"
#include "scheduler/status_log.h"

namespace antiphon {

class MoveLog {
 public:
  // A move of so many shards begins.
  void Began(const std::string& reason, uint32_t shards, Time now, int64_t wall_seconds);
  // Of the move that began last: what it does now; how many rows its lanes have read; that lanes
  // stand still; that they serve again, with the shards where they should be; that it was given up.
  void Phase(const std::string& phase) { Last().status.set_phase(phase); }
  void Read(uint64_t rows) { Last().status.set_rows(rows); }
  void Closed(Time now);
  void Serving(Time now);
  void GivenUp(const std::string& why);

  StatusLog<MoveStatus>& log() { return log_; }
  const StatusLog<MoveStatus>& log() const { return log_; }
  // Those of a scheduler before this one. What it had not brought to an end is this one's business.
  void Load(const ClusterHistory& history, Time now, int64_t wall_seconds);

 private:
  StatusLog<MoveStatus>::Entry& Last() { return log_.entries().back(); }

  StatusLog<MoveStatus> log_;
};

}  // namespace antiphon
