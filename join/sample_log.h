// SampleLog: joined samples in the joiner's own store, under their numbers, to be read and read
// again: the sink of a joiner whose samples are trained where they are made.
//
// A sample is written by the commit that joins it. It is kept until it is older than keep_seconds
// or the kept ones take more than keep_bytes; what goes, goes with the commit of newer ones, the
// oldest first. Owned by one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "join/sample_sink.h"
#include "proto/join_state.pb.h"

namespace antiphon {

struct SampleLogOptions {
  uint64_t keep_seconds = 86'400;
  uint64_t keep_bytes = uint64_t{16} << 30;
};

class SampleLog final : public SampleSink {
 public:
  // The references outlive the log.
  static StatusOr<std::unique_ptr<SampleLog>> Create(const SampleLogOptions& options,
                                                     JoinStore& store, Clock& clock);

  Status Stage(const SampleGroup& group, std::vector<StoreChange>& changes) override;
  Status Publish(const SampleGroup& group) override;
  Status End() override { return Status(); }

  // The numbers of the samples that are kept: [first, end).
  uint64_t first() const { return kept_.first(); }
  uint64_t end() const { return end_; }

  // Replaces `records` by the samples from `number` on, which is one of those kept: at least one,
  // and no more once they have `bytes`.
  Status Read(uint64_t number, uint64_t bytes, std::vector<std::string>& records);

 private:
  SampleLog(const SampleLogOptions& options, JoinStore& store, Clock& clock)
      : options_(options), store_(store), clock_(clock) {}

  // Takes the oldest samples out of `kept` while there are too many, and says so in `changes`.
  Status DropOldest(KeptSamples& kept, std::vector<StoreChange>& changes);

  const SampleLogOptions options_;
  JoinStore& store_;
  Clock& clock_;
  KeptSamples kept_;
  uint64_t end_ = 0;
  KeptSamples staged_;  // kept_ once the commit at hand has succeeded
};

}  // namespace antiphon
