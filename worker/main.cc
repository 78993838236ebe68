// ps_worker: a process that trains a job's model on what it leases.
#include <atomic>
#include <chrono>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <unistd.h>
#include <vector>

#include <gflags/gflags.h>
#include <google/protobuf/stubs/logging.h>

#include "common/base/clock.h"
#include "common/base/command_line.h"
#include "common/base/file_system.h"
#include "common/base/logging.h"
#include "common/base/signals.h"
#include "common/data/job_defaults.h"
#include "common/math/gemm.h"
#include "common/net/zmq_transport.h"
#include "models/checked_job.h"
#include "worker/job_engine.h"
#include "worker/worker.h"

DEFINE_string(scheduler, "", "address of the scheduler, HOST:PORT");
DEFINE_string(job, "", "the job file");
DEFINE_uint32(compute_threads, 1, "threads that compute a step, each a slice of the batch");
DEFINE_string(gemm, "auto", "matrix library: auto, eigen, openblas or onednn");
DEFINE_uint32(register_timeout_seconds, 30, "how long the scheduler may take to answer at first");
DEFINE_uint32(scheduler_timeout_seconds, 60, "a scheduler silent for this long is given up");
DEFINE_int64(replaces_pid, 0, "process on this host whose place this one takes; 0: none");
DEFINE_bool(accept_gap, false, "go on behind what a stream no longer has, instead of ending");
DECLARE_string(log_dir);  // glog's

namespace antiphon {
namespace {

constexpr char kProgram[] = "ps_worker";
constexpr char kAbout[] =
    "trains a job's model on what it leases\n"
    "  --set=path.to.field=value changes a field of the job; may be given many times";
constexpr uint32_t kMaxComputeThreads = 256;
constexpr Duration kLookForSignalsEvery = std::chrono::milliseconds(100);

Status CheckFlags() {
  if (FLAGS_scheduler.empty()) {
    return InvalidArgumentError("--scheduler is missing, expected --scheduler=HOST:PORT");
  }
  if (FLAGS_job.empty()) {
    return InvalidArgumentError("--job is missing, expected --job=FILE");
  }
  if (FLAGS_compute_threads < 1 || FLAGS_compute_threads > kMaxComputeThreads) {
    return InvalidArgumentError("--compute_threads=" + std::to_string(FLAGS_compute_threads) +
                                ", expected 1 to " + std::to_string(kMaxComputeThreads));
  }
  return Status();
}

WorkerOptions OptionsFromFlags(const Job& job) {
  std::random_device random;
  WorkerOptions options;
  options.scheduler_address = FLAGS_scheduler.find("://") == std::string::npos
                                  ? "tcp://" + FLAGS_scheduler
                                  : FLAGS_scheduler;
  options.incarnation = (uint64_t{random()} << 32 | random()) | 1;
  options.job_digest = JobDigest(job);
  options.register_timeout = std::chrono::seconds(FLAGS_register_timeout_seconds);
  options.scheduler_timeout = std::chrono::seconds(FLAGS_scheduler_timeout_seconds);
  options.replaces_pid = FLAGS_replaces_pid;
  return options;
}

Status Run(std::span<char* const> arguments) {
  std::vector<std::string> overrides;
  const RepeatedFlag repeated[] = {{"set", &overrides}};
  AP_RETURN_IF_ERROR(ParseFlags(arguments, kProgram, kAbout, repeated));
  AP_RETURN_IF_ERROR(CheckFlags());
  AP_ASSIGN_OR_RETURN(const GemmBackend backend, ParseGemmBackend(FLAGS_gemm));
  InitLogging({.program = arguments[0], .log_dir = FLAGS_log_dir});
  google::protobuf::SetLogHandler(nullptr);
  SystemClock clock;
  PosixFileSystem fs;
  AP_ASSIGN_OR_RETURN(const JobFile job, LoadCheckedJob(fs, FLAGS_job, overrides));
  // The watcher comes first, so that every thread inherits its blocked signals.
  std::atomic<bool> stop = false;
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<SignalWatcher> signals,
                      SignalWatcher::Start([&stop](int) { stop = true; }));
  const Gemm gemm = Gemm::Create(backend);
  LOG(INFO) << "computes with " << GemmBackendName(gemm.backend()) << " on "
            << FLAGS_compute_threads << " threads";
  JobEngine engine(job, fs, clock, gemm,
                   {.compute_threads = static_cast<int>(FLAGS_compute_threads),
                    .gaps = FLAGS_accept_gap ? GapPolicy::kAccept : GapPolicy::kRefuse});
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<ZmqTransport> transport, ZmqTransport::Create());
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<Worker> worker,
                      Worker::Start(*transport, clock, engine, OptionsFromFlags(job.job)));
  while (!worker->WaitFor(kLookForSignalsEvery)) {
    if (stop) {
      worker->Stop();
    }
  }
  const Status result = worker->Wait();
  return stop && result.code() == StatusCode::kCancelled ? Status() : result;
}

}  // namespace
}  // namespace antiphon

int main(int argc, char** argv) {
  const antiphon::Status status = antiphon::Run({argv, static_cast<size_t>(argc)});
  antiphon::FlushLogging();
  return antiphon::ExitWith(antiphon::kProgram, status);
}
