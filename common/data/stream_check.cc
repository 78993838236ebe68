#include "common/data/stream_check.h"

#include <string>
#include <vector>

#include "common/data/feature_columns.h"

namespace antiphon {
namespace {

constexpr char kStream[] = "data_config.stream";
constexpr uint64_t kMaxMilliseconds = 86'400'000;
constexpr uint64_t kMaxLeaseSamples = uint64_t{1} << 40;
constexpr uint64_t kMinPrefetchBytes = 1 << 16;
constexpr uint64_t kMaxPrefetchBytes = uint64_t{1} << 40;
// Of joined samples: enough for those of several commits.
constexpr uint64_t kMinKeepBytes = 64 << 20;
constexpr uint64_t kMaxKeepBytes = uint64_t{1} << 50;
constexpr uint32_t kMinKeepSeconds = 60;

std::vector<std::string> Texts(const google::protobuf::RepeatedPtrField<std::string>& list) {
  return {list.begin(), list.end()};
}

void Needs(const std::string& field, bool is_there, const std::string& expected,
           FieldChecks& checks) {
  if (!is_there) {
    checks.Add(field, "is missing, expected " + expected);
  }
}

void CheckFolder(const StreamConfig& stream, FieldChecks& checks) {
  const std::string path = std::string(kStream) + ".folder";
  Needs(path, stream.folder().path_size() > 0, "path: the folder of the segments", checks);
  checks.Distinct(path + ".path", Texts(stream.folder().path()));
  checks.Range(path + ".poll_ms", uint64_t{stream.folder().poll_ms()}, 1, kMaxMilliseconds);
  if (stream.folder().pattern().empty()) {
    checks.Add(path + ".pattern", "is empty, expected a shell pattern such as *.csv");
  }
  if (stream.folder().end_marker().empty()) {
    checks.Add(path + ".end_marker", "is empty, expected the name of a file such as END");
  }
  if (stream.folder().tail_last() && !stream.folder().ready_suffix().empty()) {
    checks.Add(
        path + ".tail_last",
        "has no meaning with ready_suffix: the last segment is either read while it grows or "
        "once it is ready");
  }
  if (stream.start() == StreamConfig::TIME) {
    checks.Add(
        std::string(kStream) + ".start",
        "got TIME, expected EARLIEST, LATEST or POSITIONS: segments of a folder have no times");
  }
}

void CheckKafka(const KafkaStream& kafka, FieldChecks& checks) {
  const std::string path = std::string(kStream) + ".kafka";
  Needs(path, !kafka.brokers().empty(), "brokers: \"host:port,host:port\"", checks);
  Needs(path, !kafka.topic().empty(), "topic", checks);
  for (const ClientProperty& property : kafka.properties()) {
    for (const char* ours : {"auto.offset.reset", "enable.auto.commit", "enable.auto.offset.store",
                             "bootstrap.servers", "group.id"}) {
      if (property.name() == ours) {
        checks.Add(path + ".properties",
                   "got " + property.name() +
                       ", which is set by other fields, or must stay as it is "
                       "so that every sample is trained once");
      }
    }
  }
}

void CheckRedis(const RedisStream& redis, FieldChecks& checks) {
  const std::string path = std::string(kStream) + ".redis";
  Needs(path, !redis.address().empty(), "address: \"host:port\"", checks);
  Needs(path, redis.keys_size() > 0, "keys: the streams", checks);
  Needs(path, !redis.payload_field().empty(), "payload_field", checks);
  checks.Distinct(path + ".keys", Texts(redis.keys()));
}

void CheckSource(const StreamConfig& stream, FieldChecks& checks) {
  switch (stream.source_case()) {
    case StreamConfig::kFolder:
      return CheckFolder(stream, checks);
    case StreamConfig::kKafka:
      return CheckKafka(stream.kafka(), checks);
    case StreamConfig::kRedis:
      return CheckRedis(stream.redis(), checks);
    case StreamConfig::SOURCE_NOT_SET:
      checks.Add(kStream, "has no source, expected folder, kafka or redis");
  }
}

// Its rules are checked where the events are planned.
void CheckJoin(const DataConfig& data, FieldChecks& checks) {
  const std::string path = std::string(kStream) + ".join.worker";
  const WorkerJoin& worker = data.stream().join().worker();
  Needs(path + ".state_dir", !worker.state_dir().empty(),
        "a folder for what is open and what is joined, which every worker reaches", checks);
  checks.Range(path + ".keep_bytes", worker.keep_bytes(), kMinKeepBytes, kMaxKeepBytes);
  checks.Range(path + ".keep_seconds", uint64_t{worker.keep_seconds()}, uint64_t{kMinKeepSeconds},
               uint64_t{0xffffffff});
}

void CheckTimes(const StreamConfig& stream, FieldChecks& checks) {
  const std::string path = std::string(kStream) + ".";
  checks.Range(path + "lease_samples", stream.lease_samples(), 1, kMaxLeaseSamples);
  checks.Range(path + "idle_ms", uint64_t{stream.idle_ms()}, 1, kMaxMilliseconds);
  checks.Range(path + "flush_ms", uint64_t{stream.flush_ms()}, 1, kMaxMilliseconds);
  checks.Range(path + "away_ms", uint64_t{stream.away_ms()}, 1, uint64_t{0xffffffff});
  checks.Range(path + "prefetch_bytes", stream.prefetch_bytes(), kMinPrefetchBytes,
               kMaxPrefetchBytes);
  const bool by_time = stream.start() == StreamConfig::TIME;
  if (by_time != stream.has_start_time()) {
    checks.Add(path + "start_time", by_time
                                        ? "is missing, expected seconds since 1970 with start: TIME"
                                        : "has no meaning without start: TIME");
  }
  const bool by_position = stream.start() == StreamConfig::POSITIONS;
  if (by_position != (stream.start_position_size() > 0)) {
    checks.Add(path + "start_position",
               by_position ? "is missing, expected one a partition with start: POSITIONS"
                           : "has no meaning without start: POSITIONS");
  }
}

// What a job may not ask for because nobody sees all of the data, or because partitions pause.
void CheckTraining(const Job& job, FieldChecks& checks) {
  const TrainConfig& train = job.train_config();
  if (train.sync_replicas()) {
    checks.Add(
        "train_config.sync_replicas",
        "got true, expected false with data_config.stream: a partition that is idle would hold "
        "up every worker");
  }
  if (train.has_max_staleness()) {
    checks.Add(
        "train_config.max_staleness",
        "has no meaning with data_config.stream: a partition that is idle would hold up every "
        "worker");
  }
  if (job.data_config().with_header()) {
    checks.Add("data_config.with_header",
               "got true, expected false with data_config.stream: its records have no header, and "
               "their columns are the input fields in order");
  }
  for (int i = 0; i < job.feature_config().features_size(); ++i) {
    const FeatureConfig& feature = job.feature_config().features(i);
    if (job.train_input_path_size() == 0 && NeedsFitting(feature)) {
      checks.Add(ElementPath("feature_config.features", i),
                 std::string(IsCategorical(feature) ? "vocab_from_data"
                                                    : "a range, mean or spread that is not given") +
                     " takes a pass over the data, and a stream has no end: give it, or give "
                     "train_input_path, files to learn it from before the stream");
    }
  }
}

}  // namespace

void CheckStream(const Job& job, FieldChecks& checks) {
  if (!job.data_config().has_stream()) {
    return;
  }
  if (job.data_config().stream().has_join()) {
    CheckJoin(job.data_config(), checks);
  }
  CheckSource(job.data_config().stream(), checks);
  CheckTimes(job.data_config().stream(), checks);
  CheckTraining(job, checks);
}

}  // namespace antiphon
