// ps_export: a snapshot becomes a version for serving, or a job's snapshots, one after the other,
// become the versions of a directory.
#include <chrono>
#include <iostream>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <gflags/gflags.h>

#include "common/base/clock.h"
#include "common/base/command_line.h"
#include "common/base/file_system.h"
#include "common/base/logging.h"
#include "common/base/signals.h"
#include "common/base/text.h"
#include "scoring/frozen_model.h"
#include "serving/export/exporter.h"
#include "serving/export/follower.h"
#include "serving/export/parity.h"
#include "serving/export/row_filter.h"
#include "serving/push/sinks.h"
#include "serving/version_directory.h"

DEFINE_string(snapshot, "", "a snapshot, or a folder of snapshots, of which the newest is taken");
DEFINE_string(out, "",
              "the folder to make, a version for serving; it is not there yet. With --follow the "
              "directory of versions");
DEFINE_string(precision, "fp32", "of embedding rows: fp32, fp16 or int8");
DEFINE_double(min_score, 0,
              "leave out rows of a lower score (docs/serving.md); 0: serve every row");
DEFINE_string(samples, "",
              "rows like those of the training, to say what the version's scores and AUC lost");
DEFINE_bool(follow, false,
            "publish every snapshot that the job commits: a delta as a step with what changed");
DEFINE_bool(once, false, "with --follow: publish what is there and end");
DEFINE_int32(poll_ms, 1000, "with --follow: time between two looks for something new");
DEFINE_int32(keep, 2,
             "with --follow: versions with all rows to keep, each with the steps behind it");
DEFINE_int32(max_steps, 64,
             "with --follow: steps behind a version with all rows before there is another one");
DEFINE_bool(promoted_only, false,
            "with --follow: serve only snapshots that met the job's conditions for a promotion");
DEFINE_string(redis, "",
              "with --follow: HOST:PORT or HOST:PORT/DATABASE to push every version to as well");
DEFINE_string(redis_password_env, "", "the environment variable that has the password of --redis");
DEFINE_string(kafka, "",
              "with --follow: BROKERS/TOPIC, of one partition, to push every version to as well");
DECLARE_string(log_dir);  // glog's

namespace antiphon {
namespace {

constexpr char kProgram[] = "ps_export";
constexpr char kAbout[] =
    "writes what serving needs of a snapshot: model.onnx, embeddings, signature.json\n"
    "  ps_export --snapshot=DIR --out=DIR [--precision=fp32|fp16|int8] [--min_score=X]\n"
    "  ps_export --follow --snapshot=DIR --out=DIR    publishes what a running job commits\n"
    "    [--redis=HOST:PORT] [--kafka=HOST:PORT/TOPIC [--kafka_property=NAME=VALUE ...]]\n"
    "  --kafka_property may be given many times: properties of librdkafka\n"
    "  docs/formats.md says what is in the folder, docs/serving.md how to serve with it";

Status CheckFlags() {
  if (FLAGS_snapshot.empty() || FLAGS_out.empty()) {
    return InvalidArgumentError("expected --snapshot=DIR and --out=DIR");
  }
  if (!ParsePrecision(FLAGS_precision).has_value()) {
    return InvalidArgumentError("--precision=" + FLAGS_precision + ", expected fp32, fp16 or int8");
  }
  if (FLAGS_poll_ms < 1 || FLAGS_keep < 1 || FLAGS_max_steps < 0) {
    return InvalidArgumentError(
        "expected --poll_ms and --keep of at least 1, --max_steps of 0 or more");
  }
  if (!FLAGS_follow && (FLAGS_once || FLAGS_promoted_only)) {
    return InvalidArgumentError("--once and --promoted_only go with --follow");
  }
  if (!FLAGS_follow && !(FLAGS_redis.empty() && FLAGS_kafka.empty())) {
    return InvalidArgumentError("--redis and --kafka go with --follow, or --follow --once");
  }
  if (FLAGS_follow && !FLAGS_samples.empty()) {
    return InvalidArgumentError("--samples goes with one version, not with --follow");
  }
  return Status();
}

Status Follow(FileSystem& fs, Clock& clock, const std::vector<std::string>& kafka_properties) {
  FollowOptions options;
  options.publisher.snapshots = WithoutTrailingSlash(FLAGS_snapshot);
  options.publisher.out = WithoutTrailingSlash(FLAGS_out);
  options.publisher.keep = static_cast<uint32_t>(FLAGS_keep);
  options.publisher.rules = {.precision = *ParsePrecision(FLAGS_precision),
                             .min_score = FLAGS_min_score,
                             .promoted_only = FLAGS_promoted_only,
                             .max_steps = static_cast<uint64_t>(FLAGS_max_steps)};
  options.poll = std::chrono::milliseconds(FLAGS_poll_ms);
  options.once = FLAGS_once;
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<Sinks> sinks,
                      Sinks::Create({.directory = options.publisher.out,
                                     .redis = FLAGS_redis,
                                     .redis_password_env = FLAGS_redis_password_env,
                                     .kafka = FLAGS_kafka,
                                     .kafka_properties = kafka_properties,
                                     .pace = FLAGS_once ? SinkPace::kWait : SinkPace::kBeside},
                                    fs, clock));
  Follower follower(options, fs, clock, std::cout);
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<SignalWatcher> signals,
                      SignalWatcher::Start([&follower](int) { follower.Stop(); }));
  return follower.Run(sinks->all());
}

Status ExportOne(FileSystem& fs, Clock& clock) {
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<FrozenModel> model,
                      FrozenModel::Load(fs, FLAGS_snapshot));
  const Time start = clock.Now();
  const std::string out = WithoutTrailingSlash(FLAGS_out);
  AP_ASSIGN_OR_RETURN(const Signature signature,
                      ExportModel(fs, *model,
                                  {.out = out,
                                   .precision = *ParsePrecision(FLAGS_precision),
                                   .min_score = FLAGS_min_score}));
  std::cout << out << ": " << VersionSummary(signature) << " as " << FLAGS_precision
            << ", written in " << FormatSeconds(SecondsBetween(start, clock.Now())) << "\n";
  if (signature.has_min_score()) {
    std::cout << FilterText(*model, signature);
  }
  return FLAGS_samples.empty()
             ? Status()
             : CheckParity(fs,
                           {.snapshot = model->folder(), .samples = FLAGS_samples, .version = out},
                           std::cout);
}

Status Run(std::span<char* const> arguments) {
  std::vector<std::string> kafka_properties;
  const RepeatedFlag repeated[] = {{"kafka_property", &kafka_properties}};
  AP_RETURN_IF_ERROR(ParseFlags(arguments, kProgram, kAbout, repeated));
  AP_RETURN_IF_ERROR(CheckFlags());
  InitLogging({.program = arguments[0],
               .log_dir = FLAGS_log_dir,
               .min_severity = FLAGS_log_dir.empty() ? google::WARNING : google::INFO});
  PosixFileSystem fs;
  SystemClock clock;
  return FLAGS_follow ? Follow(fs, clock, kafka_properties) : ExportOne(fs, clock);
}

}  // namespace
}  // namespace antiphon

int main(int argc, char** argv) {
  const antiphon::Status status = antiphon::Run({argv, static_cast<size_t>(argc)});
  antiphon::FlushLogging();
  return antiphon::ExitWith(antiphon::kProgram, status);
}
