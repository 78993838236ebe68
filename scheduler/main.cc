// ps_scheduler: the process that knows who takes part in a job and how far it is.
#include <atomic>
#include <chrono>
#include <iostream>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <unistd.h>

#include <gflags/gflags.h>

#include "common/base/clock.h"
#include "common/base/command_line.h"
#include "common/base/exit_code.h"
#include "common/base/file_lock.h"
#include "common/base/file_system.h"
#include "common/base/logging.h"
#include "common/base/signals.h"
#include "common/net/listen_address.h"
#include "common/net/zmq_transport.h"
#include "scheduler/scheduler.h"

DEFINE_string(listen, "127.0.0.1:0", "HOST:PORT to listen at; port 0 takes a free one");
DEFINE_string(address_file, "", "file that gets the address, port filled in, once it listens");
DEFINE_uint32(servers, 1, "servers of the job; it begins when all of them have registered");
DEFINE_uint32(workers, 1, "workers to expect; only shown, workers may come and go");
DEFINE_string(journal, "",
              "file that lets a scheduler that is started again go on; empty: none is kept");
DEFINE_string(snapshot_dir, "", "folder of snapshots; one is written when the job ends");
DEFINE_string(restore, "", "snapshot, or folder of snapshots, to start from");
DEFINE_uint32(
    server_down_timeout_seconds, 60,
    "a server that is gone for so long is given up: others get its shards, or the job fails");
DEFINE_string(report, "", "file that gets the job's report as JSON when it ends");
DEFINE_string(tensorboard, "", "folder for TensorBoard events");
DEFINE_bool(linger, false, "keep a finished cluster answering ps_ctl until ps_ctl stop");
DECLARE_string(log_dir);  // glog's
DEFINE_bool(i_know_plaintext_is_unsafe, false,
            "allow an address that other machines can reach, without encryption");

namespace antiphon {
namespace {

constexpr char kProgram[] = "ps_scheduler";
constexpr Duration kPollFor = std::chrono::milliseconds(100);

SchedulerOptions OptionsFromFlags() {
  std::random_device random;
  SchedulerOptions options;
  options.servers = FLAGS_servers;
  options.workers_expected = FLAGS_workers;
  options.cluster_id = (uint64_t{random()} << 32 | random()) | 1;
  options.journal_path = FLAGS_journal;
  options.snapshot_dir = FLAGS_snapshot_dir;
  options.restore_dir = FLAGS_restore;
  options.linger = FLAGS_linger;
  options.server_down_timeout = std::chrono::seconds(FLAGS_server_down_timeout_seconds);
  options.outputs.report_path = FLAGS_report;
  options.outputs.tensorboard_dir = FLAGS_tensorboard;
  options.outputs.progress = &std::cout;
  options.outputs.progress_style =
      isatty(STDOUT_FILENO) == 1 ? ProgressStyle::kLiveLine : ProgressStyle::kLines;
  return options;
}

Status Run(std::span<char* const> arguments) {
  AP_RETURN_IF_ERROR(ParseFlags(arguments, kProgram, "leads the servers and workers of one job"));
  SchedulerOptions options = OptionsFromFlags();
  AP_ASSIGN_OR_RETURN(
      options.listen_address,
      ListenAddress(FLAGS_listen,
                    FLAGS_i_know_plaintext_is_unsafe ? Reach::kAnyNetwork : Reach::kThisMachine));
  InitLogging({.program = arguments[0], .log_dir = FLAGS_log_dir});
  SystemClock clock;
  PosixFileSystem fs;
  std::atomic<bool> stop = false;
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<SignalWatcher> signals,
                      SignalWatcher::Start([&stop](int) { stop = true; }));
  std::optional<FileLock> lock;
  if (!FLAGS_journal.empty()) {
    AP_ASSIGN_OR_RETURN(FileLock held, FileLock::Acquire(FLAGS_journal + ".lock"));
    lock.emplace(std::move(held));
  }
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<ZmqTransport> transport, ZmqTransport::Create());
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<Scheduler> scheduler,
                      Scheduler::Create(options, *transport, fs, clock));
  if (!FLAGS_address_file.empty()) {
    AP_RETURN_IF_ERROR(WriteFileAtomically(fs, FLAGS_address_file, scheduler->address() + "\n"));
  }
  while (scheduler->Poll(kPollFor)) {
    if (stop) {
      scheduler->RequestStop();
    }
  }
  // Whoever stopped the job knows that it is not finished.
  const Status result = scheduler->result();
  return result.code() == StatusCode::kCancelled ? Status() : result;
}

}  // namespace
}  // namespace antiphon

int main(int argc, char** argv) {
  const antiphon::Status status = antiphon::Run({argv, static_cast<size_t>(argc)});
  antiphon::FlushLogging();
  return antiphon::ExitWith(antiphon::kProgram, status);
}
