// JournalSummary: what the records of a journal say about the scheduler itself and its cluster;
// what they say about the job is for Conductor::Replay. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "proto/journal.pb.h"
#include "proto/journal_state.pb.h"

namespace antiphon {

struct JournalSummary {
  uint64_t cluster_id = 0;  // 0: there was no scheduler before this one
  std::string address;
  uint32_t servers = 0;
  uint64_t scheduler_epoch = 1;  // of the scheduler that goes on from here
  // The newest view whose lanes had all that it gives them: they were ready, or shards had come to
  // them and the view was about to say so. Without lanes: none.
  ClusterView whole;
  // Some of its shards were inherited from a server that is lost, and leases do not know it yet.
  bool goes_back = false;
  uint64_t ready_epoch = 0;              // of the newest view that was ready
  uint64_t last_view_epoch = 0;          // used up, perhaps by a view that was never ready
  std::vector<JournalRecord> snapshots;  // complete ones, the newest last
  ClusterHistory history;
};

// kDataLoss: these are no records of a scheduler.
StatusOr<JournalSummary> Summarize(const std::vector<JournalRecord>& records);

// Whether a scheduler of so many servers may go on.
Status CheckSameJob(const JournalSummary& before, uint32_t servers);

// The first record of the scheduler that has this epoch.
JournalRecord StartRecord(uint64_t cluster_id, const std::string& address, uint32_t servers,
                          uint64_t scheduler_epoch);

}  // namespace antiphon
