// ps_verify: whether what sinks serve is what was trained, row for row.
#include <iostream>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <gflags/gflags.h>

#include "common/base/command_line.h"
#include "common/base/file_system.h"
#include "common/base/logging.h"
#include "scoring/frozen_model.h"
#include "serving/feature_description.h"
#include "serving/push/served_rows.h"
#include "serving/push/sink_address.h"

DEFINE_string(snapshot, "", "a snapshot, or a folder of snapshots, of which the newest is taken");
DEFINE_string(served, "", "a version, or a directory of versions of which CURRENT counts");
DEFINE_string(redis, "", "HOST:PORT or HOST:PORT/DATABASE that versions are pushed to");
DEFINE_string(redis_password_env, "", "the environment variable that has the password of --redis");
DEFINE_string(kafka, "", "BROKERS/TOPIC that versions are pushed to");
DECLARE_string(log_dir);  // glog's

namespace antiphon {
namespace {

constexpr char kProgram[] = "ps_verify";
constexpr char kAbout[] =
    "compares what is served with a snapshot: every row of every table, and the dense blocks\n"
    "  ps_verify --snapshot=DIR [--served=DIR] [--redis=HOST:PORT] [--kafka=HOST:PORT/TOPIC]\n"
    "  rows are compared as the version has them, in its precision; exit code 1 when any differs";

// Of all places that were asked for. The first error counts, but every place is looked at.
struct Outcome {
  bool differs = false;
  Status error;  // of a place that could not be read
};

void Compare(const FrozenModel& model, const StatusOr<ServedRows>& served, Outcome& outcome) {
  const Status status = served.ok() ? CompareRows(model, *served, std::cout) : served.status();
  if (served.ok() && status.code() == StatusCode::kFailedPrecondition) {
    outcome.differs = true;
  } else if (outcome.error.ok()) {
    outcome.error = status;
  }
}

// True: all that is served is what was trained.
StatusOr<bool> Run(std::span<char* const> arguments) {
  std::vector<std::string> properties;
  const RepeatedFlag repeated[] = {{"kafka_property", &properties}};
  AP_RETURN_IF_ERROR(ParseFlags(arguments, kProgram, kAbout, repeated));
  if (FLAGS_snapshot.empty() ||
      (FLAGS_served.empty() && FLAGS_redis.empty() && FLAGS_kafka.empty())) {
    return InvalidArgumentError("expected --snapshot=DIR and one of --served, --redis, --kafka");
  }
  InitLogging({.program = arguments[0], .log_dir = FLAGS_log_dir, .min_severity = google::WARNING});
  PosixFileSystem fs;
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<FrozenModel> model,
                      FrozenModel::Load(fs, FLAGS_snapshot));
  const std::string model_id = HexDigits(model->manifest().cluster_id());
  Outcome outcome;
  if (!FLAGS_served.empty()) {
    Compare(*model, ReadFolderRows(fs, FLAGS_served), outcome);
  }
  if (!FLAGS_redis.empty()) {
    AP_ASSIGN_OR_RETURN(const RedisAddress address,
                        ParseRedisAddress(FLAGS_redis, FLAGS_redis_password_env));
    Compare(*model, ReadRedisRows(address, model_id), outcome);
  }
  if (!FLAGS_kafka.empty()) {
    AP_ASSIGN_OR_RETURN(const KafkaStream kafka, ParseKafkaAddress(FLAGS_kafka, properties));
    Compare(*model, ReadKafkaRows(kafka, model_id), outcome);
  }
  AP_RETURN_IF_ERROR(outcome.error);
  return !outcome.differs;
}

}  // namespace
}  // namespace antiphon

int main(int argc, char** argv) {
  const antiphon::StatusOr<bool> same = antiphon::Run({argv, static_cast<size_t>(argc)});
  antiphon::FlushLogging();
  if (!same.ok()) {
    return antiphon::ExitWith(antiphon::kProgram, same.status());
  }
  return *same ? 0 : 1;
}
