// stream_dump: the records of a stream that has ended, from its beginning: a line each, the number
// of the partition, a tab, and the record.
//
//   stream_dump --stream=FILE
#include <chrono>
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <gflags/gflags.h>

#include "common/base/clock.h"
#include "common/base/file_system.h"
#include "common/base/logging.h"
#include "stream/config_file.h"
#include "stream/record_stream.h"

DEFINE_string(stream, "", "file with the text of a StreamConfig; its end_record ends a partition");

namespace antiphon {
namespace {

Status Dump(const DataConfig& data, const Partition& partition, size_t number, FileSystem& fs,
            Clock& clock) {
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<RecordStream> stream,
                      MakeSourceStream(data, {.folder = "."}, fs, clock));
  AP_RETURN_IF_ERROR(stream->Open(partition.path(), partition.begin_position(), Beginning::kFresh));
  while (true) {
    StreamRecord record;
    AP_ASSIGN_OR_RETURN(const StreamRead read,
                        stream->Next(std::chrono::milliseconds(100), record));
    if (read == StreamRead::kEnd) {
      return Status();
    }
    if (read == StreamRead::kRecord) {
      std::cout << number << '\t' << record.payload << '\n';
    }
  }
}

Status Run() {
  PosixFileSystem fs;
  SystemClock clock;
  DataConfig data;
  AP_ASSIGN_OR_RETURN(*data.mutable_stream(), LoadStreamConfig(fs, FLAGS_stream));
  AP_ASSIGN_OR_RETURN(const std::vector<Partition> partitions, PlanSource(data, ".", fs, clock));
  for (size_t i = 0; i < partitions.size(); ++i) {
    AP_RETURN_IF_ERROR(Dump(data, partitions[i], i, fs, clock));
  }
  return Status();
}

}  // namespace
}  // namespace antiphon

int main(int argc, char** argv) {
  gflags::ParseCommandLineFlags(&argc, &argv, true);
  const antiphon::Status status = antiphon::Run();
  LOG_IF(ERROR, !status.ok()) << status;
  return status.ok() ? 0 : 1;
}
