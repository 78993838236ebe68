// RecordSink: the other end of a RecordStream: where records are written for streams to be read
// from. Simulators, joiners and tests feed all three sources through it.
//
// Owned by one thread. What Flush has confirmed survives the death of this process, and of a broker
// that keeps what it acknowledges.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/file_system.h"
#include "common/base/status.h"
#include "proto/stream.pb.h"
#include "stream/record_reader.h"

namespace antiphon {

class RecordSink {
 public:
  virtual ~RecordSink() = default;

  // One more record, in order. May wait for room.
  virtual Status Append(std::string_view record) = 0;
  // All appended records are where readers find them.
  virtual Status Flush() = 0;
};

struct FolderSinkOptions {
  std::string folder;
  std::string suffix = ".csv";  // of segments, behind "segment-000000"
  Framing framing = Framing::kLines;
  uint64_t segment_bytes = 64 << 20;  // a segment ends at this size, or at a Flush
};

// Segments are numbered on from those that are there, and appear by a rename once they are whole.
StatusOr<std::unique_ptr<RecordSink>> MakeFolderSink(const FolderSinkOptions& options,
                                                     FileSystem& fs);
// After the last Flush: nothing more will come.
Status EndFolder(FileSystem& fs, const std::string& folder, const std::string& end_marker);

// A sink for each partition that a reader of this stream, which is Kafka or Redis, would have;
// waits for the brokers, away_ms at most.
StatusOr<std::vector<std::unique_ptr<RecordSink>>> MakeBrokerSinks(const StreamConfig& config,
                                                                   Clock& clock);
// One file each: kafka_sink.cc, redis_sink.cc.
StatusOr<std::vector<std::unique_ptr<RecordSink>>> MakeKafkaSinks(
    const KafkaStream& config, const std::vector<int32_t>& partitions);
StatusOr<std::vector<std::unique_ptr<RecordSink>>> MakeRedisSinks(const RedisStream& config);

// A record as it lies in a file of this framing.
void AppendFramed(std::string_view record, Framing framing, std::string& out);

}  // namespace antiphon
