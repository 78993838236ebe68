// SampleSink: the seam between a joiner and where its samples go.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "join/join_store.h"

namespace antiphon {

// Samples that are published together.
struct SampleGroup {
  uint64_t number = 0;  // of the group: 0, 1, 2, ...
  uint64_t first = 0;   // the number of the first sample; those behind it follow
  std::vector<std::string> records;
};

// Owned by one thread.
class SampleSink {
 public:
  virtual ~SampleSink() = default;

  // What a commit has to write so that the group cannot be lost before it is published: unless a
  // sink knows better, the group itself, as a JoinOutbox. Called once for each commit.
  virtual Status Stage(const SampleGroup& group, std::vector<StoreChange>& changes);

  // The last group may come again, as it was, after a restart: it must then not count twice. On
  // return it is where a power cut cannot reach it.
  virtual Status Publish(const SampleGroup& group) = 0;

  // No sample will follow. May be said again after a restart.
  virtual Status End() = 0;
};

}  // namespace antiphon
