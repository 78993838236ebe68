#include "stream/stream_source.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace antiphon {
namespace {

// How long a read may wait: whoever stops the reading thread waits for it as long.
constexpr Duration kPatience = std::chrono::milliseconds(50);
// A source that has more and does not give it is about to: a broker answers the first request for a
// partition late. After this time another partition is a better use of the worker.
constexpr Duration kStalledAfter = std::chrono::seconds(5);

}  // namespace

StreamSource::StreamSource(const Job& job, const TrainingPlan& plan,
                           std::unique_ptr<RecordStream> stream, Clock& clock, BadRows& bad_rows)
    : data_(job.data_config()),
      config_(job.data_config().stream()),
      plan_(plan),
      stream_(std::move(stream)),
      clock_(clock),
      bad_rows_(bad_rows),
      row_(static_cast<size_t>(job.data_config().input_fields_size())) {}

StatusOr<std::unique_ptr<StreamSource>> StreamSource::Create(const Job& job,
                                                             const TrainingPlan& plan,
                                                             const LabelColumns& labels,
                                                             std::unique_ptr<RecordStream> stream,
                                                             Clock& clock, BadRows& bad_rows) {
  const std::vector<FeatureStatistics> statistics(plan.features().begin(), plan.features().end());
  std::unique_ptr<StreamSource> source(
      new StreamSource(job, plan, std::move(stream), clock, bad_rows));
  AP_ASSIGN_OR_RETURN(source->builder_, BatchBuilder::Create(job, statistics, labels));
  // Records of a stream have no header: columns are the input fields in order.
  DataConfig format = job.data_config();
  format.set_with_header(false);
  AP_ASSIGN_OR_RETURN(source->decoder_,
                      MakeRecordDecoder(format, source->builder_->field_uses(), "stream", ""));
  return source;
}

Status StreamSource::Open(PartitionId partition, Position from) {
  const Partition& planned = plan_.partitions(static_cast<int>(partition));
  partition_ = partition;
  position_ = from;
  lease_records_ = 0;
  has_pending_ = false;
  last_record_at_ = clock_.Now();
  const bool is_fresh = from <= planned.begin_position();
  return stream_->Open(planned.path(), is_fresh ? planned.begin_position() : from,
                       is_fresh ? Beginning::kFresh : Beginning::kResumed);
}

void StreamSource::Close() {
  has_pending_ = false;
  stream_->Close();
}

StatusOr<ReadOutcome> StreamSource::NextBatch(Position cut, Batch& batch) {
  builder_->Start(batch);
  batch.partition = partition_;
  batch.begin = position_;
  batch.end = position_;
  CHECK_GT(cut, position_);
  const bool may_yield = !std::exchange(goes_on_, false);
  if (may_yield && lease_records_ >= config_.lease_samples()) {
    return ReadOutcome::kYield;
  }
  Time flush_at{};
  while (!IsFull(batch) && batch.end < cut) {
    const Duration left = batch.records == 0 ? kPatience : flush_at - clock_.Now();
    if (batch.records > 0 && left <= Duration::zero()) {
      break;
    }
    AP_ASSIGN_OR_RETURN(const StreamRead read, Peek(std::min(left, kPatience)));
    if (read != StreamRead::kRecord) {
      if (batch.records == 0) {
        return WithoutBatch(read, may_yield);
      }
      if (read == StreamRead::kEnd) {
        break;
      }
      continue;
    }
    if (pending_.position >= cut) {
      batch.end = cut;  // a lane stands there: nothing lies between
      break;
    }
    if (batch.records == 0) {
      flush_at = clock_.Now() + std::chrono::milliseconds(config_.flush_ms());
    }
    AP_RETURN_IF_ERROR(Take(batch));
    batch.end = std::min(pending_.next, cut);
  }
  position_ = batch.end;
  request_order_.Apply(batch);
  bad_rows_.AddGood(batch.rows);
  return ReadOutcome::kBatch;
}

StatusOr<StreamRead> StreamSource::Peek(Duration patience) {
  if (has_pending_) {
    return StreamRead::kRecord;
  }
  AP_ASSIGN_OR_RETURN(const StreamRead read, stream_->Next(patience, pending_));
  has_pending_ = read == StreamRead::kRecord;
  if (has_pending_) {
    last_record_at_ = clock_.Now();
  }
  return read;
}

Status StreamSource::Take(Batch& batch) {
  has_pending_ = false;
  ++batch.records;
  ++lease_records_;
  BadRowReason reason = pending_.reason;
  if (reason == BadRowReason::kNone) {
    reason = decoder_->Decode(pending_.payload, row_);
  }
  if (reason == BadRowReason::kNone) {
    reason = builder_->AddRow(row_.values, row_.lists, batch);
  }
  if (reason == BadRowReason::kNone) {
    return Status();
  }
  return bad_rows_.AddBad({.reason = reason,
                           .path = plan_.partitions(static_cast<int>(partition_)).path(),
                           .record = pending_.position,
                           .text = pending_.payload});
}

ReadOutcome StreamSource::WithoutBatch(StreamRead read, bool may_yield) {
  if (read == StreamRead::kEnd) {
    return ReadOutcome::kEnd;
  }
  const Duration silent = clock_.Now() - last_record_at_;
  const SourceReport source = stream_->report();
  const bool has_more = !source.is_known || source.behind > 0;
  const bool is_idle = silent >= std::chrono::milliseconds(config_.idle_ms());
  return may_yield && is_idle && (!has_more || silent >= kStalledAfter) ? ReadOutcome::kYield
                                                                        : ReadOutcome::kNotYet;
}

}  // namespace antiphon
