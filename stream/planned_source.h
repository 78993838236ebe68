// PlannedSource: samples of every partition of a plan, whether it is a piece of a file or a stream.
//
// Owned by one thread.
#pragma once

#include <memory>

#include "proto/plan.pb.h"
#include "stream/file_source.h"
#include "stream/stream_source.h"

namespace antiphon {

class PlannedSource final : public SampleSource {
 public:
  // `stream` may be null when no partition is open-ended. The plan outlives the source.
  PlannedSource(const TrainingPlan& plan, std::unique_ptr<FileSource> files,
                std::unique_ptr<StreamSource> stream)
      : plan_(plan), files_(std::move(files)), stream_(std::move(stream)) {}

  Status Open(PartitionId partition, Position from) override;
  StatusOr<ReadOutcome> NextBatch(Position cut, Batch& batch) override;
  void GoOn() override { open_->GoOn(); }
  void Close() override { open_->Close(); }
  SourceReport report() const override { return open_->report(); }

 private:
  const TrainingPlan& plan_;
  const std::unique_ptr<FileSource> files_;
  const std::unique_ptr<StreamSource> stream_;
  SampleSource* open_ = files_.get();
};

}  // namespace antiphon
