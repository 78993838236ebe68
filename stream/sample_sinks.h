// The ends of a joiner: where samples go, each exactly once, whatever dies between two steps.
//
//   folder   a group is a segment with the group's number in its name, which is not written twice
//   Kafka    sample n goes to partition n modulo their number, with n in its header; who begins
//            reads the last header of each partition, and sends what comes after it
//   Redis    sample n goes to key n modulo their number, in a transaction (MULTI, EXEC) that also
//            sets the key "KEY:joined", KEY the first of them, to n + 1
//
// Samples that a broker has acknowledged and no longer knows are an error that names them: they
// cannot be published again.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/file_system.h"
#include "common/base/status.h"
#include "join/sample_sink.h"
#include "proto/stream.pb.h"
#include "stream/record_reader.h"

namespace antiphon {

struct FolderSampleOptions {
  std::string folder;
  std::string suffix = ".csv";  // of segments, behind "samples-00000000"
  Framing framing = Framing::kLines;
  std::string header = {};  // the first line of each segment, with its end
  std::string end_marker = "END";
};
std::unique_ptr<SampleSink> MakeFolderSampleSink(const FolderSampleOptions& options,
                                                 FileSystem& fs);

// `config` is what a job that reads the samples has as its stream, and outlives the sink. Both wait
// for their brokers, away_ms at most.
StatusOr<std::unique_ptr<SampleSink>> MakeKafkaSampleSink(const StreamConfig& config,
                                                          const std::vector<int32_t>& partitions,
                                                          Clock& clock);
StatusOr<std::unique_ptr<SampleSink>> MakeRedisSampleSink(const StreamConfig& config, Clock& clock);

}  // namespace antiphon
