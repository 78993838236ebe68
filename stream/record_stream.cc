#include "stream/record_stream.h"

#include "stream/folder_stream.h"
#include "stream/joined_stream.h"
#include "stream/kafka_stream.h"
#include "stream/redis_stream.h"

namespace antiphon {

StatusOr<std::unique_ptr<RecordStream>> MakeRecordStream(const DataConfig& data,
                                                         const RecordStreamOptions& options,
                                                         FileSystem& fs, Clock& clock) {
  return data.stream().has_join() ? MakeJoinedStream(data, options, fs, clock)
                                  : MakeSourceStream(data, options, fs, clock);
}

StatusOr<std::vector<Partition>> PlanStream(const DataConfig& data, const std::string& folder,
                                            FileSystem& fs, Clock& clock) {
  return data.stream().has_join() ? PlanJoinedStream(data, folder, fs, clock)
                                  : PlanSource(data, folder, fs, clock);
}

StatusOr<std::unique_ptr<RecordStream>> MakeSourceStream(const DataConfig& data,
                                                         const RecordStreamOptions& options,
                                                         FileSystem& fs, Clock& clock) {
  switch (data.stream().source_case()) {
    case StreamConfig::kFolder:
      return MakeFolderStream(data, options, fs, clock);
    case StreamConfig::kKafka:
      return MakeKafkaStream(data.stream(), options, clock);
    case StreamConfig::kRedis:
      return MakeRedisStream(data.stream(), options, clock);
    case StreamConfig::SOURCE_NOT_SET:
      break;
  }
  return InvalidArgumentError("data_config.stream has no source");
}

StatusOr<std::vector<Partition>> PlanSource(const DataConfig& data, const std::string& folder,
                                            FileSystem& fs, Clock& clock) {
  std::vector<Partition> partitions;
  switch (data.stream().source_case()) {
    case StreamConfig::kFolder: {
      AP_ASSIGN_OR_RETURN(partitions, PlanFolderStream(data.stream(), folder, fs));
      break;
    }
    case StreamConfig::kKafka: {
      AP_ASSIGN_OR_RETURN(partitions, PlanKafkaStream(data.stream(), clock));
      break;
    }
    case StreamConfig::kRedis: {
      AP_ASSIGN_OR_RETURN(partitions, PlanRedisStream(data.stream(), clock));
      break;
    }
    case StreamConfig::SOURCE_NOT_SET:
      return InvalidArgumentError("data_config.stream has no source");
  }
  const auto& given = data.stream().start_position();
  if (data.stream().start() == StreamConfig::POSITIONS &&
      given.size() != static_cast<int>(partitions.size())) {
    return InvalidArgumentError("data_config.stream.start_position: got " +
                                std::to_string(given.size()) + ", the source has " +
                                std::to_string(partitions.size()) + " partitions");
  }
  for (size_t i = 0; i < partitions.size(); ++i) {
    partitions[i].set_kind(Partition::TRAIN);
    partitions[i].set_open_ended(true);
    if (data.stream().start() == StreamConfig::POSITIONS) {
      partitions[i].set_begin_position(given.Get(static_cast<int>(i)));
    }
  }
  return partitions;
}

Status GapError(const std::string& partition, const std::string& wanted,
                const std::string& earliest, int64_t lost_records) {
  const std::string lost =
      lost_records < 0 ? "an unknown number of records" : std::to_string(lost_records) + " records";
  return OutOfRangeError(partition + ": the source no longer has position " + wanted +
                         ", which is read next; the earliest that it keeps is " + earliest + ", " +
                         lost +
                         " later. Keep data longer than a snapshot is old, or start "
                         "with --accept_gap to go on behind the gap");
}

}  // namespace antiphon
