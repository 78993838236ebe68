// ps_train: a whole job in one process: scheduler, servers and workers as threads that talk
// through memory; and what a trained model predicts.
#include <atomic>
#include <chrono>
#include <iostream>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#include <gflags/gflags.h>

#include "common/base/clock.h"
#include "common/base/command_line.h"
#include "common/base/file_system.h"
#include "common/base/logging.h"
#include "common/base/signals.h"
#include "common/base/text.h"
#include "common/data/job_defaults.h"
#include "common/math/gemm.h"
#include "common/net/memory_transport.h"
#include "models/checked_job.h"
#include "scoring/frozen_model.h"
#include "scoring/score_file.h"
#include "scoring/scorer.h"
#include "tools/local/local_cluster.h"
#include "worker/job_engine.h"

DEFINE_string(job, "", "the job file");
DEFINE_bool(check_job, false, "check the job, print it with its defaults, and exit");
DEFINE_uint32(servers, 1, "servers");
DEFINE_uint32(workers, 1, "workers");
DEFINE_uint32(lanes, 1, "lanes of each server");
DEFINE_uint64(
    memory_limit_mb, 0,
    "MiB that rows, indexes and dense blocks of each server may take; near it new ids are admitted "
    "less and rows with the lowest scores go; 0: no limit");
DEFINE_uint32(compute_threads, 0, "threads of each worker; 0: the cores, divided by the workers");
DEFINE_string(gemm, "auto", "matrix library: auto, eigen, openblas or onednn");
DEFINE_string(snapshot_dir, "", "folder for the snapshot at the end; empty: none is written");
DEFINE_string(restore, "", "a snapshot, or a folder of snapshots, to go on from or to score with");
DEFINE_string(report, "", "file for the figures of the run, as JSON");
DEFINE_string(tensorboard, "", "folder for TensorBoard events");
DEFINE_string(
    score, "",
    "file of rows to score with the model of --restore, nothing is trained; or of requests, "
    "see --catalogue");
DEFINE_string(catalogue, "",
              "with --score: files, comma separated, with what requests may be shown with; of all "
              "combinations the best is taken");
DEFINE_string(score_task, "",
              "with --catalogue: the best is highest in this task; empty: the first");
DEFINE_string(score_columns, "",
              "with --score: columns, comma separated, to show before the predictions");
DEFINE_string(score_out, "",
              "with --score: file for the predictions, as CSV; empty: standard output");
DEFINE_bool(accept_gap, false, "go on behind what a stream no longer has, instead of ending");
DEFINE_bool(quiet, false, "do not show progress");
DECLARE_string(log_dir);  // glog's

namespace antiphon {
namespace {

constexpr char kProgram[] = "ps_train";
constexpr char kAbout[] =
    "trains a job in one process, or scores rows with a trained model\n"
    "  ps_train --job=FILE [--snapshot_dir=DIR]\n"
    "  ps_train --score=ROWS.csv --restore=DIR [--catalogue=TEXTS.csv,AVATARS.csv]\n"
    "  --set=path.to.field=value changes a field of the job; may be given many times\n"
    "  without --log_dir only warnings and errors are logged, on standard error";
constexpr uint64_t kMaxMemoryMb = uint64_t{1} << 30;
constexpr Duration kLookForSignalsEvery = std::chrono::milliseconds(100);

Status CheckCount(const std::string& flag, uint32_t value, uint32_t min, uint32_t max) {
  if (value >= min && value <= max) {
    return Status();
  }
  return InvalidArgumentError("--" + flag + "=" + std::to_string(value) + ", expected " +
                              std::to_string(min) + " to " + std::to_string(max));
}

// The job of a snapshot is in it, so --score takes none.
Status CheckFlags() {
  const bool scores = !FLAGS_score.empty();
  if (scores && FLAGS_restore.empty()) {
    return InvalidArgumentError("--score needs a trained model, expected --restore=DIR");
  }
  if (scores != FLAGS_job.empty()) {
    return InvalidArgumentError(scores ? "--score reads the job of the snapshot, expected no --job"
                                       : "--job is missing, expected --job=FILE");
  }
  if (!scores &&
      !(FLAGS_catalogue + FLAGS_score_task + FLAGS_score_columns + FLAGS_score_out).empty()) {
    return InvalidArgumentError(
        "--catalogue, --score_task, --score_columns and --score_out do nothing without --score");
  }
  AP_RETURN_IF_ERROR(CheckCount("servers", FLAGS_servers, 1, 64));
  AP_RETURN_IF_ERROR(CheckCount("workers", FLAGS_workers, 1, 64));
  AP_RETURN_IF_ERROR(CheckCount("lanes", FLAGS_lanes, 1, 64));
  if (FLAGS_memory_limit_mb > kMaxMemoryMb) {
    return InvalidArgumentError("--memory_limit_mb=" + std::to_string(FLAGS_memory_limit_mb) +
                                ", expected at most " + std::to_string(kMaxMemoryMb));
  }
  return CheckCount("compute_threads", FLAGS_compute_threads, 0, 256);
}

LocalClusterOptions OptionsFromFlags(const Job& job) {
  std::random_device random;
  LocalClusterOptions options;
  options.scheduler.snapshot_dir = FLAGS_snapshot_dir;
  options.scheduler.restore_dir = FLAGS_restore;
  options.scheduler.outputs.report_path = FLAGS_report;
  options.scheduler.outputs.tensorboard_dir = FLAGS_tensorboard;
  if (!FLAGS_quiet) {
    options.scheduler.outputs.progress = &std::cout;
    options.scheduler.outputs.progress_style =
        isatty(STDOUT_FILENO) != 0 ? ProgressStyle::kLiveLine : ProgressStyle::kLines;
  }
  options.servers = FLAGS_servers;
  options.lanes = FLAGS_lanes;
  options.memory_limit = FLAGS_memory_limit_mb << 20;
  options.job_digest = JobDigest(job);
  options.seed = uint64_t{random()} << 32 | random();
  options.listen_address = [](const std::string& name) { return "mem://" + name; };
  return options;
}

int ComputeThreads() {
  if (FLAGS_compute_threads > 0) {
    return static_cast<int>(FLAGS_compute_threads);
  }
  return static_cast<int>(std::max(1U, std::thread::hardware_concurrency() / FLAGS_workers));
}

Status Train(const JobFile& job, const Gemm& gemm, FileSystem& fs) {
  SystemClock clock;
  std::atomic<bool> stop = false;
  // The watcher comes first, so that every thread inherits its blocked signals.
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<SignalWatcher> signals,
                      SignalWatcher::Start([&stop](int) { stop = true; }));
  MemoryTransport transport(clock);
  std::vector<std::unique_ptr<JobEngine>> engines;
  std::vector<EngineFactory*> factories;
  for (uint32_t i = 0; i < FLAGS_workers; ++i) {
    engines.push_back(std::make_unique<JobEngine>(
        job, fs, clock, gemm,
        JobEngineOptions{.compute_threads = ComputeThreads(),
                         .gaps = FLAGS_accept_gap ? GapPolicy::kAccept : GapPolicy::kRefuse}));
    factories.push_back(engines.back().get());
  }
  AP_ASSIGN_OR_RETURN(
      const std::unique_ptr<LocalCluster> cluster,
      LocalCluster::Start(OptionsFromFlags(job.job), transport, fs, clock, factories));
  while (!cluster->WaitFor(kLookForSignalsEvery)) {
    if (stop) {
      cluster->Stop();
      return CancelledError("stopped by a signal");
    }
  }
  return cluster->Wait();
}

std::vector<std::string> SplitFlag(const std::string& value) {
  std::vector<std::string> pieces;
  for (const std::string_view piece : Split(value, ",")) {
    if (!piece.empty()) {
      pieces.emplace_back(piece);
    }
  }
  return pieces;
}

Status Score(const Gemm& gemm, FileSystem& fs) {
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<FrozenModel> model,
                      FrozenModel::Load(fs, FLAGS_restore));
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<Scorer> scorer,
                      Scorer::Create(*model, gemm, ComputeThreads()));
  const ScoreFileOptions options = {.path = FLAGS_score,
                                    .catalogues = SplitFlag(FLAGS_catalogue),
                                    .columns = SplitFlag(FLAGS_score_columns),
                                    .task = FLAGS_score_task};
  return ScoreFileTo(FLAGS_score_out, options, *scorer, fs);
}

Status Run(std::span<char* const> arguments) {
  std::vector<std::string> overrides;
  const RepeatedFlag repeated[] = {{"set", &overrides}};
  AP_RETURN_IF_ERROR(ParseFlags(arguments, kProgram, kAbout, repeated));
  AP_RETURN_IF_ERROR(CheckFlags());
  AP_ASSIGN_OR_RETURN(const GemmBackend backend, ParseGemmBackend(FLAGS_gemm));
  // Standard error shares the terminal with the progress: only what went wrong belongs there.
  InitLogging({.program = arguments[0],
               .log_dir = FLAGS_log_dir,
               .min_severity = FLAGS_log_dir.empty() ? google::WARNING : google::INFO});
  PosixFileSystem fs;
  if (!FLAGS_score.empty()) {
    if (!overrides.empty()) {
      return InvalidArgumentError("--score reads the job of the snapshot, expected no --set");
    }
    return Score(Gemm::Create(backend), fs);
  }
  AP_ASSIGN_OR_RETURN(const JobFile job, LoadCheckedJob(fs, FLAGS_job, overrides));
  if (FLAGS_check_job) {
    std::cout << JobText(job.job);
    return Status();
  }
  return Train(job, Gemm::Create(backend), fs);
}

}  // namespace
}  // namespace antiphon

int main(int argc, char** argv) {
  const antiphon::Status status = antiphon::Run({argv, static_cast<size_t>(argc)});
  antiphon::FlushLogging();
  return antiphon::ExitWith(antiphon::kProgram, status);
}
