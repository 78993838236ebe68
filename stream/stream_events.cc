#include "stream/stream_events.h"

#include <utility>

namespace antiphon {

StreamEvents::StreamEvents(const DataConfig& data, std::string partition, Position begin,
                           std::unique_ptr<RecordStream> stream)
    : data_(data), partition_(std::move(partition)), position_(begin), stream_(std::move(stream)) {}

Status StreamEvents::Seek(Position position, Past past) {
  position_ = position;
  is_open_ = true;
  return stream_->Open(partition_, position,
                       past == Past::kRead ? Beginning::kResumed : Beginning::kFresh);
}

StatusOr<EventReader::Outcome> StreamEvents::Next(JoinEvent& event) {
  if (!is_open_) {
    AP_RETURN_IF_ERROR(Seek(position_, Past::kUntouched));
  }
  StreamRecord record;
  AP_ASSIGN_OR_RETURN(const StreamRead read, stream_->Next(Duration::zero(), record));
  switch (read) {
    case StreamRead::kRecord:
      break;
    case StreamRead::kNothing:
      return Outcome::kNothing;
    case StreamRead::kEnd:
      return Outcome::kEnd;
  }
  position_ = record.next;
  AP_RETURN_IF_ERROR(FollowHeader());
  const bool is_event =
      record.reason == BadRowReason::kNone && decoder_->Decode(record.payload, event);
  return is_event ? Outcome::kEvent : Outcome::kBadEvent;
}

Status StreamEvents::FollowHeader() {
  if (decoder_.has_value() && stream_->header() == header_) {
    return Status();
  }
  header_ = stream_->header();
  AP_ASSIGN_OR_RETURN(EventDecoder decoder, EventDecoder::Create(data_, partition_, header_));
  decoder_ = std::move(decoder);
  return Status();
}

bool StreamEvents::may_have_more() const {
  const SourceReport report = stream_->report();
  return !report.away.empty() || (report.is_known && report.behind > 0);
}

StatusOr<std::vector<std::unique_ptr<StreamEvents>>> MakeEventReaders(
    const DataConfig& events, const std::vector<Partition>& partitions,
    const RecordStreamOptions& options, FileSystem& fs, Clock& clock) {
  if (!events.with_header()) {
    AP_RETURN_IF_ERROR(EventDecoder::Create(events, "", "").status());
  }
  std::vector<std::unique_ptr<StreamEvents>> readers;
  for (const Partition& partition : partitions) {
    AP_ASSIGN_OR_RETURN(std::unique_ptr<RecordStream> stream,
                        MakeSourceStream(events, options, fs, clock));
    readers.push_back(std::make_unique<StreamEvents>(
        events, partition.path(), partition.begin_position(), std::move(stream)));
  }
  return readers;
}

}  // namespace antiphon
