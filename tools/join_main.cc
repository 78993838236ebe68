// ps_join: impressions and the feedback on them, as they come, to labelled samples, each exactly
// once whenever the process is killed.
#include <atomic>
#include <chrono>
#include <iostream>
#include <memory>
#include <span>
#include <string>

#include <gflags/gflags.h>

#include "common/base/clock.h"
#include "common/base/command_line.h"
#include "common/base/file_system.h"
#include "common/base/logging.h"
#include "common/base/signals.h"
#include "join/rocks_store.h"
#include "stream/config_file.h"
#include "tools/join/join_process.h"

DEFINE_string(data, "", "file with the events' data_config: fields, stream, stream.join");
DEFINE_string(out, "", "folder for the samples, segments that appear whole");
DEFINE_string(samples, "",
              "instead of --out: file with the data_config.stream of the job that reads the "
              "samples, which go where it says");
DEFINE_string(state, "", "folder of the joiner's own, from which it goes on after a stop");
DEFINE_uint32(commit_ms, 1000, "samples are published this often, if there are any");
DEFINE_uint32(commit_samples, 50000, "or when there are so many, if that comes first");
DEFINE_bool(
    with_header, true,
    "segments of samples begin with the names of the columns, where those of events do; a job "
    "that reads them as a stream wants none");
DEFINE_bool(accept_gap, false, "go on behind events that the source no longer has");
DEFINE_bool(quiet, false, "do not show the counts at the end");
DECLARE_string(log_dir);  // glog's

namespace antiphon {
namespace {

constexpr char kProgram[] = "ps_join";
constexpr char kAbout[] =
    "joins impressions and late feedback to samples (docs/late_labels.md)\n"
    "  ps_join --data=FILE --state=DIR --out=DIR\n"
    "  ps_join --data=FILE --state=DIR --samples=FILE";

Status CheckFlags() {
  for (const auto& [name, value] : {std::pair("data", FLAGS_data), {"state", FLAGS_state}}) {
    if (value.empty()) {
      return InvalidArgumentError(std::string("--") + name + " is missing; see --help");
    }
  }
  if (FLAGS_out.empty() == FLAGS_samples.empty()) {
    return InvalidArgumentError("--out or --samples must say where samples go; see --help");
  }
  return Status();
}

StatusOr<StreamConfig> Destination(FileSystem& fs) {
  if (!FLAGS_samples.empty()) {
    return LoadStreamConfig(fs, FLAGS_samples);
  }
  StreamConfig folder;
  folder.mutable_folder()->add_path(FLAGS_out);
  return folder;
}

Status Run(std::span<char* const> arguments) {
  AP_RETURN_IF_ERROR(ParseFlags(arguments, kProgram, kAbout, {}));
  AP_RETURN_IF_ERROR(CheckFlags());
  InitLogging({.program = arguments[0], .log_dir = FLAGS_log_dir});
  SystemClock clock;
  PosixFileSystem fs;
  std::atomic<bool> stop = false;
  // The watcher comes first, so that every thread inherits its blocked signals.
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<SignalWatcher> signals,
                      SignalWatcher::Start([&stop](int) { stop = true; }));
  AP_ASSIGN_OR_RETURN(const DataConfig data, LoadDataConfig(fs, FLAGS_data));
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<RocksStore> store, RocksStore::Open(FLAGS_state));
  AP_ASSIGN_OR_RETURN(const StreamConfig samples, Destination(fs));
  const JoinProcessOptions options = {
      .samples = samples,
      .with_header = FLAGS_with_header,
      .commit_every = std::chrono::milliseconds(FLAGS_commit_ms),
      .commit_samples = FLAGS_commit_samples,
      .gaps = FLAGS_accept_gap ? GapPolicy::kAccept : GapPolicy::kRefuse};
  AP_ASSIGN_OR_RETURN(const JoinCounts counts,
                      JoinUntilEnd(data, options, *store, fs, clock, stop));
  if (!FLAGS_quiet) {
    std::cout << counts.Utf8DebugString();
  }
  return Status();
}

}  // namespace
}  // namespace antiphon

int main(int argc, char** argv) {
  const antiphon::Status status = antiphon::Run({argv, static_cast<size_t>(argc)});
  antiphon::FlushLogging();
  return antiphon::ExitWith(antiphon::kProgram, status);
}
