#include "stream/folder_stream.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "common/base/logging.h"
#include "common/data/job_file.h"
#include "stream/away_watch.h"
#include "stream/pause.h"
#include "stream/record_decoder.h"
#include "stream/record_reader.h"
#include "stream/segment_list.h"

namespace antiphon {
namespace {

constexpr Position kOffsetMask = (Position{1} << kSegmentOffsetBits) - 1;

Position At(uint64_t segment, uint64_t offset) {
  return segment << kSegmentOffsetBits | offset;
}

std::string Describe(Position position) {
  return "segment " + std::to_string(position >> kSegmentOffsetBits) + ", byte " +
         std::to_string(position & kOffsetMask);
}

StatusOr<uint64_t> FileSize(FileSystem& fs, const std::string& path) {
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<ReadableFile> file, fs.OpenForRead(path));
  return file->size();
}

class FolderRecordStream final : public RecordStream {
 public:
  FolderRecordStream(const DataConfig& data, const RecordStreamOptions& options, FileSystem& fs,
                     Clock& clock)
      : data_(data), config_(data.stream().folder()), options_(options), fs_(fs), clock_(clock) {}

  Status Open(const std::string& partition, Position from, Beginning beginning) override;
  StatusOr<StreamRead> Next(Duration patience, StreamRecord& record) override;
  std::string_view header() const override { return header_; }
  SourceReport report() const override;

 private:
  // Looks at the folder, at most every poll_ms.
  Status Look();
  // Opens the segment at position_. False: there is none yet.
  StatusOr<bool> OpenSegment();
  Status CrossGap(uint64_t earliest);
  // There are segments before and behind position_, and none at it.
  Status NoteHole(const std::string& next_path);
  Status Stand(const std::string& path);
  bool IsLast() const {
    return list_.path_of_number.upper_bound(segment()) == list_.path_of_number.end();
  }
  bool MayGrow() const { return config_.tail_last() && IsLast() && !list_.has_end; }
  StatusOr<bool> ReadRecord(StreamRecord& record);
  void EndSegment();
  void CountBehind();
  uint64_t segment() const { return position_ >> kSegmentOffsetBits; }

  const DataConfig& data_;
  const FolderStream& config_;
  const RecordStreamOptions options_;
  FileSystem& fs_;
  Clock& clock_;

  std::string folder_;
  Position position_ = 0;
  Beginning beginning_ = Beginning::kFresh;
  std::unique_ptr<RecordReader> reader_;  // of the segment at position_, or null
  std::string header_;                    // of the segment that was opened last
  std::string last_text_;                 // of a record whose memory the reader needs
  SegmentList list_;
  std::map<uint64_t, uint64_t> bytes_of_segment_;  // those that do not change any more
  Time look_at_{};
  std::optional<AwayWatch> hole_;  // since then; nothing: there is none
  SourceReport report_;
  Position counted_at_ = 0;  // where report_.behind was counted
};

Status FolderRecordStream::Open(const std::string& partition, Position from, Beginning beginning) {
  const std::string folder = ResolvePath(options_.folder, partition);
  const bool goes_on = folder == folder_ && from == position_;
  if (!goes_on) {
    reader_.reset();
    bytes_of_segment_.clear();
    look_at_ = Time{};
    hole_.reset();
  }
  folder_ = folder;
  position_ = from;
  beginning_ = beginning;
  report_.is_known = true;
  report_.behind_in_bytes = true;
  return Status();
}

Status FolderRecordStream::Look() {
  const Time now = clock_.Now();
  if (now < look_at_) {
    return Status();
  }
  look_at_ = now + std::chrono::milliseconds(config_.poll_ms());
  AP_ASSIGN_OR_RETURN(list_, ListSegments(fs_, folder_, config_));
  CountBehind();
  return Status();
}

// Packed bytes where segments are packed: nobody knows how many are in them.
void FolderRecordStream::CountBehind() {
  report_.behind = 0;
  counted_at_ = position_;
  for (auto it = list_.path_of_number.lower_bound(segment()); it != list_.path_of_number.end();
       ++it) {
    const bool is_final = std::next(it) != list_.path_of_number.end() || !config_.tail_last();
    const auto known = bytes_of_segment_.find(it->first);
    uint64_t bytes = known == bytes_of_segment_.end() ? 0 : known->second;
    if (known == bytes_of_segment_.end()) {
      const StatusOr<uint64_t> size = FileSize(fs_, it->second);
      bytes = size.ok() ? *size : 0;  // deleted in this moment
      if (is_final) {
        bytes_of_segment_[it->first] = bytes;
      }
    }
    const bool is_here = it->first == segment() && reader_ != nullptr && reader_->can_seek();
    report_.behind += bytes - (is_here ? std::min(bytes, position_ & kOffsetMask) : 0);
  }
}

StatusOr<bool> FolderRecordStream::OpenSegment() {
  const auto& paths = list_.path_of_number;
  const auto found = paths.lower_bound(segment());
  if (found == paths.end()) {
    return false;
  }
  if (found->first != segment()) {
    const bool has_earlier = found != paths.begin();
    if (beginning_ == Beginning::kFresh && !has_earlier) {
      position_ = At(found->first, 0);
    } else if (has_earlier) {
      AP_RETURN_IF_ERROR(NoteHole(found->second));
      return false;
    } else {
      AP_RETURN_IF_ERROR(CrossGap(found->first));
    }
  }
  if (hole_.has_value()) {
    hole_->NoteAnswer();
    hole_.reset();
  }
  AP_RETURN_IF_ERROR(Stand(found->second));
  return true;
}

Status FolderRecordStream::NoteHole(const std::string& next_path) {
  if (!hole_.has_value()) {
    hole_.emplace(clock_, folder_ + ": segment " + std::to_string(segment()),
                  std::chrono::milliseconds(data_.stream().away_ms()));
  }
  return hole_->NoteFailure("it is missing, but there is " + next_path +
                            "; segment numbers count up by one");
}

Status FolderRecordStream::CrossGap(uint64_t earliest) {
  if (options_.gaps == GapPolicy::kRefuse) {
    return GapError(folder_, Describe(position_), Describe(At(earliest, 0)), -1);
  }
  LOG(WARNING) << folder_ << ": passes over the gap from " << Describe(position_) << " to "
               << Describe(At(earliest, 0));
  ++report_.gaps;
  report_.gap_positions += At(earliest, 0) - position_;
  position_ = At(earliest, 0);
  return Status();
}

Status FolderRecordStream::Stand(const std::string& path) {
  const uint64_t offset = position_ & kOffsetMask;
  AP_ASSIGN_OR_RETURN(reader_, RecordReader::Open(fs_, path, RecordFormatOf(data_)));
  header_ = reader_->header();
  reader_->set_growing(MayGrow());
  if (config_.tail_last() && (!reader_->can_seek() || data_.with_header())) {
    return InvalidArgumentError(path + (data_.with_header() ? ": has a header" : ": is packed") +
                                ", and data_config.stream.folder.tail_last wants to read it while "
                                "it grows; pack segments, or give them headers, only without "
                                "tail_last");
  }
  if (offset <= reader_->next_offset()) {
    return Status();
  }
  if (reader_->can_seek()) {
    return reader_->Seek(0, offset);
  }
  Record skipped;
  while (reader_->next_offset() < offset) {
    AP_ASSIGN_OR_RETURN(const bool is_there, reader_->Next(skipped));
    if (!is_there) {
      break;
    }
  }
  if (reader_->next_offset() != offset) {
    return DataLossError(path + ": no record begins at byte " + std::to_string(offset) +
                         ", where it was read before: the segment has changed");
  }
  return Status();
}

StatusOr<bool> FolderRecordStream::ReadRecord(StreamRecord& record) {
  Record read;
  const uint64_t offset = reader_->next_offset();
  AP_ASSIGN_OR_RETURN(const bool is_there, reader_->Next(read));
  if (!is_there) {
    return false;
  }
  record = {.payload = read.text,
            .reason = read.reason,
            .position = At(segment(), offset),
            .next = At(segment(), reader_->next_offset())};
  if (!MayGrow() && !reader_->has_more_in_memory()) {
    last_text_ = read.text;
    record.payload = last_text_;
    AP_ASSIGN_OR_RETURN(const bool at_end, reader_->AtEnd());
    if (at_end) {
      record.next = At(segment() + 1, 0);
      EndSegment();
      return true;
    }
  }
  position_ = record.next;
  return true;
}

void FolderRecordStream::EndSegment() {
  reader_.reset();
  position_ = At(segment() + 1, 0);
  beginning_ = Beginning::kResumed;
  CountBehind();
}

SourceReport FolderRecordStream::report() const {
  SourceReport report = report_;
  if (hole_.has_value()) {
    hole_->TellIn(report);
  }
  if (reader_ != nullptr && reader_->can_seek()) {
    report.behind -= std::min(report.behind, position_ - counted_at_);
  }
  return report;
}

StatusOr<StreamRead> FolderRecordStream::Next(Duration patience, StreamRecord& record) {
  const Time give_up_at = clock_.Now() + patience;
  bool has_waited = false;
  while (true) {
    if (reader_ != nullptr) {
      AP_ASSIGN_OR_RETURN(const bool is_there, ReadRecord(record));
      if (is_there) {
        return StreamRead::kRecord;
      }
      const bool was_growing = MayGrow();
      AP_RETURN_IF_ERROR(Look());
      if (!was_growing) {
        EndSegment();
        continue;
      }
      if (!MayGrow()) {
        reader_->set_growing(false);  // what is left of it is all there will be
        continue;
      }
    } else {
      AP_RETURN_IF_ERROR(Look());
      AP_ASSIGN_OR_RETURN(const bool is_open, OpenSegment());
      if (is_open) {
        continue;
      }
      if (list_.has_end &&
          list_.path_of_number.lower_bound(segment()) == list_.path_of_number.end()) {
        return StreamRead::kEnd;
      }
    }
    if (has_waited || patience <= Duration::zero()) {
      return StreamRead::kNothing;
    }
    Pause(std::min<Duration>(give_up_at - clock_.Now(),
                             std::chrono::milliseconds(config_.poll_ms())));
    has_waited = clock_.Now() >= give_up_at;
  }
}

}  // namespace

StatusOr<std::unique_ptr<RecordStream>> MakeFolderStream(const DataConfig& data,
                                                         const RecordStreamOptions& options,
                                                         FileSystem& fs, Clock& clock) {
  return std::unique_ptr<RecordStream>(new FolderRecordStream(data, options, fs, clock));
}

StatusOr<std::optional<std::string>> FirstHeader(const DataConfig& data, const std::string& folder,
                                                 FileSystem& fs) {
  AP_ASSIGN_OR_RETURN(const SegmentList list, ListSegments(fs, folder, data.stream().folder()));
  if (list.path_of_number.empty()) {
    return std::optional<std::string>();
  }
  AP_ASSIGN_OR_RETURN(
      const std::unique_ptr<RecordReader> first,
      RecordReader::Open(fs, list.path_of_number.begin()->second, RecordFormatOf(data)));
  return std::optional(first->header());
}

StatusOr<std::vector<Partition>> PlanFolderStream(const StreamConfig& config,
                                                  const std::string& folder, FileSystem& fs) {
  std::vector<Partition> partitions;
  for (const std::string& path : config.folder().path()) {
    Partition& partition = partitions.emplace_back();
    partition.set_path(path);
    partition.set_begin_position(0);
    if (config.start() != StreamConfig::LATEST) {
      continue;
    }
    AP_ASSIGN_OR_RETURN(const SegmentList list,
                        ListSegments(fs, ResolvePath(folder, path), config.folder()));
    if (!list.path_of_number.empty()) {
      const uint64_t number = list.path_of_number.rbegin()->first;
      partition.set_begin_position(At(number + 1, 0));
    }
  }
  return partitions;
}

}  // namespace antiphon
