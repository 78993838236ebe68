#include "stream/file_source.h"

#include <algorithm>
#include <utility>

#include "common/base/hash.h"
#include "common/data/job_file.h"

namespace antiphon {
namespace {

constexpr size_t kMaxOpenFiles = 8;
constexpr uint64_t kUnshuffledWindow = 4096;  // any size gives the same samples

}  // namespace

FileSource::FileSource(const Job& job, const TrainingPlan& plan, std::string folder, FileSystem& fs,
                       BadRows& bad_rows)
    : data_(job.data_config()),
      plan_(plan),
      seed_(job.seed()),
      folder_(std::move(folder)),
      fs_(fs),
      bad_rows_(bad_rows),
      row_(static_cast<size_t>(job.data_config().input_fields_size())) {}

StatusOr<std::unique_ptr<FileSource>> FileSource::Create(const Job& job, const TrainingPlan& plan,
                                                         const std::string& folder,
                                                         const LabelColumns& labels, FileSystem& fs,
                                                         BadRows& bad_rows) {
  const std::vector<FeatureStatistics> statistics(plan.features().begin(), plan.features().end());
  std::unique_ptr<FileSource> source(new FileSource(job, plan, folder, fs, bad_rows));
  AP_ASSIGN_OR_RETURN(source->builder_, BatchBuilder::Create(job, statistics, labels));
  return source;
}

Position FileSource::size() const {
  const Partition& partition = plan_.partitions(static_cast<int>(partition_));
  return partition.end_record() - partition.begin_record();
}

Status FileSource::Open(PartitionId partition, Position from) {
  if (partition >= static_cast<uint32_t>(plan_.partitions_size())) {
    return OutOfRangeError("partition " + std::to_string(partition) + ", expected less than " +
                           std::to_string(plan_.partitions_size()));
  }
  if (partition != partition_) {
    records_.Clear();
  }
  partition_ = partition;
  position_ = from;
  const bool is_shuffled =
      data_.shuffle() && plan_.partitions(static_cast<int>(partition)).kind() == Partition::TRAIN;
  window_size_ = is_shuffled ? data_.shuffle_buffer_size() : kUnshuffledWindow;
  return Status();
}

StatusOr<ReadOutcome> FileSource::NextBatch(Position cut, Batch& batch) {
  CHECK_GT(window_size_, 0U) << "Open comes first";
  builder_->Start(batch);
  batch.partition = partition_;
  batch.begin = position_;
  batch.end = position_;
  if (position_ >= size()) {
    return ReadOutcome::kEnd;
  }
  CHECK_GT(cut, position_);
  const Position grid = (position_ / data_.batch_size() + 1) * data_.batch_size();
  batch.end = std::min({size(), grid, cut});
  for (; position_ < batch.end; ++position_) {
    AP_RETURN_IF_ERROR(AddRow(position_, batch));
  }
  const Position furthest = std::min({size(), grid + data_.batch_size(), cut});
  for (; position_ < furthest; batch.end = ++position_) {
    AP_ASSIGN_OR_RETURN(const bool continues, ContinuesRequest(position_, batch));
    if (!continues) {
      break;
    }
    AP_RETURN_IF_ERROR(AddRow(position_, batch));
  }
  request_order_.Apply(batch);
  bad_rows_.AddGood(batch.rows);
  batch.records = static_cast<uint32_t>(batch.end - batch.begin);
  return ReadOutcome::kBatch;
}

StatusOr<BadRowReason> FileSource::ReadRow(Position position) {
  if (records_.size() == 0 || window_ != position / window_size_) {
    AP_RETURN_IF_ERROR(LoadWindow(position / window_size_));
  }
  const Record record = records_.record(position % window_size_);
  return record.reason != BadRowReason::kNone ? record.reason
                                              : window_file_->decoder->Decode(record.text, row_);
}

StatusOr<bool> FileSource::ContinuesRequest(Position position, const Batch& batch) {
  if (batch.request.empty()) {
    return false;
  }
  AP_ASSIGN_OR_RETURN(const BadRowReason reason, ReadRow(position));
  return reason != BadRowReason::kNone || builder_->RequestOf(row_.values) == batch.request.back();
}

Status FileSource::AddRow(Position position, Batch& batch) {
  AP_ASSIGN_OR_RETURN(BadRowReason reason, ReadRow(position));
  if (reason == BadRowReason::kNone) {
    reason = builder_->AddRow(row_.values, row_.lists, batch);
  }
  if (reason == BadRowReason::kNone) {
    return Status();
  }
  const uint64_t index = position % window_size_;
  const Partition& partition = plan_.partitions(static_cast<int>(partition_));
  return bad_rows_.AddBad({.reason = reason,
                           .path = partition.path(),
                           .record = records_.number(index),
                           .text = records_.record(index).text,
                           .is_repeat = partition.epoch() > 0});
}

Status FileSource::LoadWindow(uint64_t window) {
  const Partition& partition = plan_.partitions(static_cast<int>(partition_));
  const Position begin = window * window_size_;
  records_.Clear();
  AP_ASSIGN_OR_RETURN(window_file_, StandBefore(partition.begin_record() + begin));
  AP_RETURN_IF_ERROR(records_.Fill(*window_file_->reader, std::min(window_size_, size() - begin)));
  window_ = window;
  if (data_.shuffle() && partition.kind() == Partition::TRAIN) {
    records_.Shuffle(Mix64(Mix64(seed_, partition_), window));
  }
  return Status();
}

StatusOr<FileSource::OpenFile*> FileSource::FindFile(const std::string& path) {
  const std::string resolved = ResolvePath(folder_, path);
  for (const std::unique_ptr<OpenFile>& file : files_) {
    if (file->reader->path() == resolved) {
      file->last_use = ++uses_;
      return file.get();
    }
  }
  AP_ASSIGN_OR_RETURN(std::unique_ptr<RecordReader> reader,
                      RecordReader::Open(fs_, resolved, RecordFormatOf(data_)));
  AP_ASSIGN_OR_RETURN(std::unique_ptr<RecordDecoder> decoder,
                      MakeRecordDecoder(data_, builder_->field_uses(), resolved, reader->header()));
  if (files_.size() == kMaxOpenFiles) {
    const auto oldest =
        std::min_element(files_.begin(), files_.end(),
                         [](const auto& a, const auto& b) { return a->last_use < b->last_use; });
    files_.erase(oldest);
  }
  files_.push_back(
      std::make_unique<OpenFile>(OpenFile{std::move(reader), std::move(decoder), ++uses_}));
  return files_.back().get();
}

StatusOr<FileSource::OpenFile*> FileSource::StandBefore(uint64_t record) {
  const Partition& partition = plan_.partitions(static_cast<int>(partition_));
  AP_ASSIGN_OR_RETURN(OpenFile * file, FindFile(partition.path()));
  RecordReader* reader = file->reader.get();
  const bool is_past = reader->next_record() > record;
  if (partition.has_begin_offset() && reader->can_seek() &&
      (is_past || reader->next_record() < partition.begin_record())) {
    AP_RETURN_IF_ERROR(reader->Seek(partition.begin_record(), partition.begin_offset()));
  } else if (is_past) {
    // A packed file can only be read again from the front.
    std::erase_if(files_, [&](const auto& other) { return other.get() == file; });
    AP_ASSIGN_OR_RETURN(file, FindFile(partition.path()));
    reader = file->reader.get();
  }
  AP_RETURN_IF_ERROR(reader->SkipTo(record));
  return file;
}

}  // namespace antiphon
