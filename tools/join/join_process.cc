#include "tools/join/join_process.h"

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "common/base/logging.h"
#include "join/join_rules.h"
#include "join/join_run.h"
#include "join/sample_record.h"
#include "stream/folder_stream.h"
#include "stream/join_config.h"
#include "stream/kafka_stream.h"
#include "stream/pause.h"
#include "stream/record_decoder.h"
#include "stream/sample_sinks.h"
#include "stream/stream_events.h"

namespace antiphon {
namespace {

constexpr Duration kLookAgainAfter = std::chrono::milliseconds(20);

std::string SuffixOf(DataConfig::InputType type) {
  switch (type) {
    case DataConfig::CSVInput:
      break;
    case DataConfig::SlotTextInput:
      return ".txt";
    case DataConfig::TFRecordInput:
      return ".tfrecord";
    case DataConfig::ProtobufInput:
      return ".pb";
  }
  return ".csv";
}

class JoinProcess {
 public:
  JoinProcess(const DataConfig& data, const JoinProcessOptions& options, JoinStore& store,
              FileSystem& fs, Clock& clock, const std::atomic<bool>& stop)
      : data_(data), options_(options), store_(store), fs_(fs), clock_(clock), stop_(stop) {}

  StatusOr<JoinCounts> Run() {
    AP_ASSIGN_OR_RETURN(const JoinRules rules, MakeJoinRules(data_.stream().join()));
    AP_ASSIGN_OR_RETURN(const SampleRecord format, SampleRecord::Create(data_, rules));
    AP_ASSIGN_OR_RETURN(const std::optional<std::string> header, WaitForHeader());
    if (!header.has_value()) {
      return JoinCounts();  // stopped before there was anything
    }
    AP_ASSIGN_OR_RETURN(const std::unique_ptr<SampleSink> sink,
                        MakeSink(options_.with_header ? format.Header(*header) : ""));
    AP_ASSIGN_OR_RETURN(std::vector<std::unique_ptr<EventReader>> readers, MakeReaders());
    const JoinConfig& join = data_.stream().join();
    const JoinRunOptions run_options = {.rules_digest = JoinDigest(data_, outlets_),
                                        .max_memory_bytes = join.max_memory_bytes(),
                                        .max_ahead_seconds = join.max_ahead_seconds(),
                                        .commit_every = options_.commit_every,
                                        .commit_samples = options_.commit_samples};
    AP_ASSIGN_OR_RETURN(
        const std::unique_ptr<JoinRun> run,
        JoinRun::Create(rules, format, run_options, std::move(readers), store_, *sink, clock_));
    while (!stop_) {
      AP_ASSIGN_OR_RETURN(const JoinRun::Outcome outcome, run->Step());
      if (outcome == JoinRun::Outcome::kDone) {
        return run->counts();
      }
      if (outcome == JoinRun::Outcome::kNothing) {
        Pause(kLookAgainAfter);
      }
    }
    AP_RETURN_IF_ERROR(run->Commit());
    return run->counts();
  }

 private:
  StatusOr<std::vector<std::unique_ptr<EventReader>>> MakeReaders() {
    AP_ASSIGN_OR_RETURN(const std::vector<Partition> partitions,
                        PlanSource(data_, /*folder=*/".", fs_, clock_));
    if (partitions.empty()) {
      return InvalidArgumentError("stream: names no partition of the events");
    }
    AP_ASSIGN_OR_RETURN(
        std::vector<std::unique_ptr<StreamEvents>> events,
        MakeEventReaders(data_, partitions, {.gaps = options_.gaps, .folder = "."}, fs_, clock_));
    return std::vector<std::unique_ptr<EventReader>>(std::make_move_iterator(events.begin()),
                                                     std::make_move_iterator(events.end()));
  }

  StatusOr<std::unique_ptr<SampleSink>> MakeSink(const std::string& header) {
    const StreamConfig& samples = options_.samples;
    switch (samples.source_case()) {
      case StreamConfig::kFolder: {
        if (samples.folder().path_size() != 1) {
          return InvalidArgumentError("samples: folder.path names " +
                                      std::to_string(samples.folder().path_size()) +
                                      " folders, expected one");
        }
        FolderSampleOptions folder = {.folder = samples.folder().path(0),
                                      .suffix = SuffixOf(data_.input_type()),
                                      .framing = RecordFormatOf(data_).framing,
                                      .header = header,
                                      .end_marker = samples.folder().end_marker()};
        return MakeFolderSampleSink(folder, fs_);
      }
      case StreamConfig::kKafka: {
        AP_ASSIGN_OR_RETURN(const std::vector<int32_t> partitions,
                            KafkaPartitions(samples, clock_));
        outlets_ = partitions.size();
        return MakeKafkaSampleSink(samples, partitions, clock_);
      }
      case StreamConfig::kRedis:
        outlets_ = static_cast<size_t>(samples.redis().keys_size());
        return MakeRedisSampleSink(samples, clock_);
      case StreamConfig::SOURCE_NOT_SET:
        break;
    }
    return InvalidArgumentError("samples: expected folder, kafka or redis");
  }

  // The columns of the samples are those of the events, which the first segment names.
  StatusOr<std::optional<std::string>> WaitForHeader() {
    if (!data_.with_header()) {
      return std::optional<std::string>("");
    }
    if (data_.stream().folder().path().empty()) {
      return InvalidArgumentError(
          "with_header: got true, expected false: only segments of a folder have headers");
    }
    const std::string& first = data_.stream().folder().path(0);
    bool is_told = false;
    while (!stop_) {
      AP_ASSIGN_OR_RETURN(std::optional<std::string> header, FirstHeader(data_, first, fs_));
      if (header.has_value()) {
        return header;
      }
      LOG_IF(INFO, !std::exchange(is_told, true)) << "waits for the first segment of " << first;
      Pause(kLookAgainAfter);
    }
    return std::optional<std::string>();
  }

  const DataConfig& data_;
  const JoinProcessOptions& options_;
  JoinStore& store_;
  FileSystem& fs_;
  Clock& clock_;
  const std::atomic<bool>& stop_;
  size_t outlets_ = 1;
};

}  // namespace

StatusOr<JoinCounts> JoinUntilEnd(const DataConfig& data, const JoinProcessOptions& options,
                                  JoinStore& store, FileSystem& fs, Clock& clock,
                                  const std::atomic<bool>& stop) {
  return JoinProcess(data, options, store, fs, clock, stop).Run();
}

}  // namespace antiphon
