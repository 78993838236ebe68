// JoinRun: reads events, joins them, and publishes every sample exactly once, whenever it is
// killed.
//
// From time to time it commits, all or nothing: how far it has read, what is open, and the samples
// since the last commit. Only then does it publish these; a run that begins publishes again what
// the one before had committed last, and the sink knows them by their numbers. So a kill before the
// commit forgets samples that nobody has seen, and one after it loses nothing.
//
// A run that begins with an empty store commits where its partitions begin before it reads: one
// that is to begin at their end begins there in every later life, too. Owned by one thread, which
// calls Step until it is done.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "join/event_reader.h"
#include "join/join_rules.h"
#include "join/join_store.h"
#include "join/joiner.h"
#include "join/sample_record.h"
#include "join/sample_sink.h"

namespace antiphon {

struct JoinRunOptions {
  uint64_t rules_digest = 0;  // of everything that decides what samples look like
  uint64_t max_memory_bytes = 256 << 20;
  uint64_t max_ahead_seconds = 0;  // an event further ahead of the clock is dropped; 0: none is
  Duration commit_every = std::chrono::seconds(1);
  uint64_t commit_samples = 50'000;  // or so many, if they come first
};

class JoinRun {
 public:
  // Goes on from what the store has. All references outlive the run. kFailedPrecondition: the store
  // was written under another configuration.
  static StatusOr<std::unique_ptr<JoinRun>> Create(
      const JoinRules& rules, const SampleRecord& format, const JoinRunOptions& options,
      std::vector<std::unique_ptr<EventReader>> readers, JoinStore& store, SampleSink& sink,
      Clock& clock);

  enum class Outcome : uint8_t { kBusy, kNothing, kDone };
  // Reads a bounded number of events of the partition that is farthest behind. kNothing: there were
  // none to be had from any partition; kDone: there will be none, and all samples are published.
  StatusOr<Outcome> Step();

  // Commits and publishes now, if there is anything; before an orderly stop.
  Status Commit();

  JoinCounts counts() { return joiner_.counts(); }
  uint64_t next_sample() const { return next_sample_; }
  const OpenImpressions& open() { return joiner_.open(); }

 private:
  struct Partition {
    std::unique_ptr<EventReader> reader;
    bool has_begun = false;  // anything has been read, ever
    bool has_ended = false;
    Time heard_at{};
  };

  JoinRun(const JoinRules& rules, const SampleRecord& format, const JoinRunOptions& options,
          std::vector<std::unique_ptr<EventReader>> readers, JoinStore& store, SampleSink& sink,
          Clock& clock);

  Status Restore();
  Status RestorePartitions(const JoinProgress& progress);
  std::vector<size_t> PartitionsByWatermark() const;
  // False when the partition had nothing.
  StatusOr<bool> ReadSome(size_t index);
  Status TakeEvent(size_t index, JoinEvent event);
  void NoteSilence(size_t index);
  Status TakeSamples();
  bool IsTimeToCommit();
  JoinProgress Progress() const;
  Status Finish();

  const SampleRecord& format_;
  const JoinRunOptions options_;
  JoinStore& store_;
  SampleSink& sink_;
  Clock& clock_;
  const Duration idle_after_;
  Joiner joiner_;
  std::vector<Partition> partitions_;
  SampleGroup group_;         // samples since the last commit
  uint64_t next_sample_ = 0;  // the number of the one behind them
  Time committed_at_{};
  bool has_news_ = false;  // since the last commit
};

}  // namespace antiphon
