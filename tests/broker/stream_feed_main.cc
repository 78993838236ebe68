// stream_feed: writes the lines of its standard input, a record each, to where a stream is read
// from: a folder of segments, a Kafka partition, a Redis stream. Ends once all of them are safe.
//
//   stream_feed --folder=DIR [--end_marker=END] < lines
//   stream_feed --kafka=BROKERS --topic=NAME --partition=N < lines
//   stream_feed --redis=HOST:PORT --key=KEY < lines
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <gflags/gflags.h>

#include "common/base/clock.h"
#include "common/base/file_system.h"
#include "common/base/logging.h"
#include "stream/record_sink.h"

DEFINE_string(folder, "", "folder of segments");
DEFINE_uint64(segment_bytes, 65536, "a segment ends at this size");
DEFINE_string(end_marker, "", "is written behind the last segment; empty: none");
DEFINE_string(kafka, "", "brokers");
DEFINE_string(topic, "samples", "of Kafka");
DEFINE_uint32(partition, 0, "of the topic");
DEFINE_string(redis, "", "HOST:PORT");
DEFINE_string(key, "samples", "of the Redis stream");

namespace antiphon {
namespace {

StatusOr<std::unique_ptr<RecordSink>> MakeSink(FileSystem& fs) {
  if (!FLAGS_folder.empty()) {
    return MakeFolderSink({.folder = FLAGS_folder, .segment_bytes = FLAGS_segment_bytes}, fs);
  }
  StreamConfig config;
  if (!FLAGS_kafka.empty()) {
    config.mutable_kafka()->set_brokers(FLAGS_kafka);
    config.mutable_kafka()->set_topic(FLAGS_topic);
    config.mutable_kafka()->add_partitions(FLAGS_partition);
  } else {
    config.mutable_redis()->set_address(FLAGS_redis);
    config.mutable_redis()->add_keys(FLAGS_key);
  }
  SystemClock clock;
  AP_ASSIGN_OR_RETURN(std::vector<std::unique_ptr<RecordSink>> sinks,
                      MakeBrokerSinks(config, clock));
  return std::move(sinks.front());
}

Status Feed() {
  PosixFileSystem fs;
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<RecordSink> sink, MakeSink(fs));
  for (std::string line; std::getline(std::cin, line);) {
    AP_RETURN_IF_ERROR(sink->Append(line));
  }
  AP_RETURN_IF_ERROR(sink->Flush());
  return FLAGS_end_marker.empty() ? Status() : EndFolder(fs, FLAGS_folder, FLAGS_end_marker);
}

}  // namespace
}  // namespace antiphon

int main(int argc, char** argv) {
  gflags::ParseCommandLineFlags(&argc, &argv, true);
  const antiphon::Status status = antiphon::Feed();
  LOG_IF(ERROR, !status.ok()) << status;
  return status.ok() ? 0 : 1;
}
