// StreamSource: samples from the open-ended partitions of a training plan.
//
// A batch is full, or has waited flush_ms since its first record, or ends where a lane stands.
// A lease is over after lease_samples records or when nothing has come for idle_ms. Batches join
// without gaps whatever the positions of the records: each begins where the one before it ended.
// Owned by one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "common/data/batch_builder.h"
#include "common/data/request_order.h"
#include "proto/job.pb.h"
#include "proto/plan.pb.h"
#include "stream/bad_rows.h"
#include "stream/record_decoder.h"
#include "stream/record_stream.h"
#include "stream/sample_source.h"

namespace antiphon {

class StreamSource final : public SampleSource {
 public:
  // All references outlive the source.
  static StatusOr<std::unique_ptr<StreamSource>> Create(const Job& job, const TrainingPlan& plan,
                                                        const LabelColumns& labels,
                                                        std::unique_ptr<RecordStream> stream,
                                                        Clock& clock, BadRows& bad_rows);

  Status Open(PartitionId partition, Position from) override;
  StatusOr<ReadOutcome> NextBatch(Position cut, Batch& batch) override;
  void GoOn() override { goes_on_ = true; }
  void Close() override;
  SourceReport report() const override { return stream_->report(); }

 private:
  StreamSource(const Job& job, const TrainingPlan& plan, std::unique_ptr<RecordStream> stream,
               Clock& clock, BadRows& bad_rows);

  // The record at hand, or the next one. kRecord: it is in pending_, and stays there until Take.
  StatusOr<StreamRead> Peek(Duration patience);
  // Adds the record at hand to the batch.
  Status Take(Batch& batch);
  bool IsFull(const Batch& batch) const { return batch.records >= data_.batch_size(); }
  ReadOutcome WithoutBatch(StreamRead read, bool may_yield);

  const DataConfig& data_;
  const StreamConfig& config_;
  const TrainingPlan& plan_;
  const std::unique_ptr<RecordStream> stream_;
  Clock& clock_;
  BadRows& bad_rows_;
  std::unique_ptr<BatchBuilder> builder_;
  std::unique_ptr<RecordDecoder> decoder_;
  RequestOrder request_order_;
  DecodedRow row_;

  PartitionId partition_ = 0;
  Position position_ = 0;
  uint64_t lease_records_ = 0;  // so many have been read under this lease
  bool goes_on_ = false;        // the next NextBatch does not yield
  Time last_record_at_{};
  bool has_pending_ = false;
  StreamRecord pending_;
};

}  // namespace antiphon
