// What ps_join does between its flags and its exit code: builds a JoinRun from a configuration and
// steps it until the events end or somebody says stop.
#pragma once

#include <atomic>
#include <string>

#include "common/base/clock.h"
#include "common/base/file_system.h"
#include "common/base/status.h"
#include "join/join_store.h"
#include "proto/job.pb.h"
#include "proto/join_state.pb.h"
#include "stream/record_stream.h"

namespace antiphon {

struct JoinProcessOptions {
  // Where the samples go: the stream of a job that reads them. A folder has one path.
  StreamConfig samples;
  bool with_header = true;  // a folder's segments, where the events' have one
  Duration commit_every = std::chrono::seconds(1);
  uint64_t commit_samples = 50'000;
  GapPolicy gaps = GapPolicy::kRefuse;
};

// Returns what became of all events, of earlier lives too.
StatusOr<JoinCounts> JoinUntilEnd(const DataConfig& data, const JoinProcessOptions& options,
                                  JoinStore& store, FileSystem& fs, Clock& clock,
                                  const std::atomic<bool>& stop);

}  // namespace antiphon
