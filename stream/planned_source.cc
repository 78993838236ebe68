#include "stream/planned_source.h"

namespace antiphon {

Status PlannedSource::Open(PartitionId partition, Position from) {
  const bool is_known = partition < static_cast<uint32_t>(plan_.partitions_size());
  const bool is_stream = is_known && plan_.partitions(static_cast<int>(partition)).open_ended();
  if (is_stream && stream_ == nullptr) {
    return FailedPreconditionError("partition " + std::to_string(partition) +
                                   " is a stream, and the job has no data_config.stream");
  }
  open_ = is_stream ? static_cast<SampleSource*>(stream_.get()) : files_.get();
  return open_->Open(partition, from);
}

StatusOr<ReadOutcome> PlannedSource::NextBatch(Position cut, Batch& batch) {
  return open_->NextBatch(cut, batch);
}

}  // namespace antiphon
