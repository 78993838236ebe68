// Joiner: events in, labelled samples out. A state machine without thread, clock or files.
//
// It lives in event time. Each partition has a watermark, its latest event time less
// out_of_order_seconds, and an event behind it is late and dropped. The joiner's own watermark is
// the lowest of the partitions that are not idle. What is due before it happens, in the order of
// due times and then of requests. So which samples come out, and in which order, depends on what
// each partition says and not on how the partitions were read in turn, as long as none falls idle.
//
// Owned by one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/status.h"
#include "join/join_event.h"
#include "join/join_rules.h"
#include "join/join_store.h"
#include "join/open_impressions.h"
#include "proto/join_state.pb.h"

namespace antiphon {

class Joiner {
 public:
  // Begins with nothing. The rules and the store outlive the joiner.
  Joiner(const JoinRules& rules, size_t partitions, JoinStore& store);

  // Goes on from what SaveTo and ListChanges left.
  Status Restore(const JoinProgress& progress);

  // Takes an event of a partition in.
  Status Add(size_t partition, JoinEvent event);

  // The partition does not hold back the others from now on: it is silent, or it has ended.
  void SetIdle(size_t partition);
  // A partition whose records have all been read, or all that there will be.
  bool is_idle(size_t partition) const { return partitions_[partition].is_idle; }

  // Puts out the next sample that is due, if there is one.
  StatusOr<std::optional<JoinedSample>> Next();

  // Every partition has ended: what is open closes with what is known.
  void End() { watermark_ms_ = kAfterAllTime; }

  // For a checkpoint. Partitions' names and positions are the caller's business.
  void SaveTo(JoinProgress& progress) const;
  OpenImpressions& open() { return open_; }

  int64_t watermark_ms() const { return watermark_ms_; }  // kBeforeAllTime: there is none yet
  // The partition to read from next, so that none runs far ahead of the others.
  int64_t partition_watermark_ms(size_t partition) const;
  JoinCounts& counts() { return counts_; }

 private:
  struct Partition {
    int64_t latest_ms = kBeforeAllTime;
    bool is_idle = false;
  };

  Status AddImpression(JoinEvent event);
  Status AddFeedbackEvent(const JoinEvent& event);
  void RaiseWatermark();

  // When something is due for the request next; nothing when it is done.
  std::optional<int64_t> NextDue(const OpenImpression& open);
  // What is due at `due_ms`: a sample, or nothing but tidying up.
  Status Settle(const OpenImpressions::Due& due, std::optional<JoinedSample>& sample);
  void SettleShown(const OpenImpressions::Due& due, std::optional<JoinedSample>& sample);
  void Close(OpenImpression& open);
  void DropOrphans(OpenImpression& open, int64_t due_ms);

  const JoinRules& rules_;
  std::vector<Partition> partitions_;
  OpenImpressions open_;
  int64_t watermark_ms_ = kBeforeAllTime;
  JoinCounts counts_;
  std::vector<KnownLabel> labels_;  // scratch
};

}  // namespace antiphon
