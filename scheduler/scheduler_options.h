// What a scheduler is started with.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "scheduler/outputs.h"

namespace antiphon {

struct SchedulerOptions {
  std::string listen_address = "tcp://127.0.0.1:0";
  uint32_t servers = 1;           // the job begins when so many have registered
  uint32_t workers_expected = 1;  // for display only: workers come and go
  uint64_t cluster_id = 0;        // random, not 0; that of the journal goes before it
  // Where the scheduler notes what it must know after its own death; when the file is there, the
  // job goes on where its last scheduler stood. Empty: its death is the job's.
  std::string journal_path;
  // It is thinned out when it has so many bytes, and again when it has twice what was left.
  uint64_t journal_thin_bytes = uint64_t{64} << 20;
  std::string snapshot_dir;  // empty: no snapshot at the end
  std::string restore_dir;   // a snapshot, or a folder of snapshots; empty: start afresh
  // A finished cluster goes on to answer ps_ctl until it is stopped.
  bool linger = false;
  Duration heartbeat = std::chrono::milliseconds(500);
  Duration dead_after = std::chrono::milliseconds(2500);
  // A server that is gone must be replaced by then.
  Duration server_down_timeout = std::chrono::seconds(60);
  // After a restart nobody is declared dead for so long: connections come back one by one.
  Duration restart_grace = std::chrono::seconds(5);
  Duration failure_linger = std::chrono::seconds(2);
  Duration finish_wait = std::chrono::seconds(3);
  OutputOptions outputs;
};

// The flag that is wrong, and what it should be.
Status CheckOptions(const SchedulerOptions& options);

}  // namespace antiphon
