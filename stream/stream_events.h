// StreamEvents: the events of one partition of a stream, for a joiner.
//
// Owned by one thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/file_system.h"
#include "join/event_reader.h"
#include "proto/job.pb.h"
#include "stream/event_decoder.h"
#include "stream/record_stream.h"

namespace antiphon {

class StreamEvents final : public EventReader {
 public:
  // `data` outlives the reader. `begin` is where a reader that is not told to seek begins.
  StreamEvents(const DataConfig& data, std::string partition, Position begin,
               std::unique_ptr<RecordStream> stream);

  const std::string& partition() const override { return partition_; }
  Status Seek(Position position, Past past) override;
  StatusOr<Outcome> Next(JoinEvent& event) override;
  Position position() const override { return position_; }
  bool may_have_more() const override;

  SourceReport report() const { return stream_->report(); }

 private:
  // Files have headers of their own; other sources have none.
  Status FollowHeader();

  const DataConfig& data_;
  const std::string partition_;
  Position position_;
  const std::unique_ptr<RecordStream> stream_;
  bool is_open_ = false;
  std::string header_;
  std::optional<EventDecoder> decoder_;
};

// A reader of each of these partitions of the source of `events`. kInvalidArgument: the fields of
// an event are not there. `events` outlives the readers.
StatusOr<std::vector<std::unique_ptr<StreamEvents>>> MakeEventReaders(
    const DataConfig& events, const std::vector<Partition>& partitions,
    const RecordStreamOptions& options, FileSystem& fs, Clock& clock);

}  // namespace antiphon
