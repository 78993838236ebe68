// CountingFeed: makes batches up, one key of its own to each sample, so that a test can count what
// was trained. Owned by one thread.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "worker/batch_feed.h"

namespace antiphon {

class CountingFeed final : public BatchFeed {
 public:
  using SizeOf = std::function<Position(PartitionId)>;
  using KeyOf = std::function<Key(PartitionId, Position)>;

  CountingFeed(const ParameterSchema& schema, const ClusterView& view, Position batch_size,
               SizeOf size_of, KeyOf key_of)
      : preparer_(schema, view, {0}),
        batch_size_(batch_size),
        size_of_(std::move(size_of)),
        key_of_(std::move(key_of)) {}

  void Start(PartitionId partition, Position from, std::vector<Position> cuts) override {
    partition_ = partition;
    at_ = from;
    cuts_ = std::move(cuts);
  }

  StatusOr<Outcome> Next(std::unique_ptr<PreparedBatch>& batch) override {
    const Position size = size_of_(partition_);
    if (at_ == broken_at) {
      return DataLossError("train.csv: truncated");
    }
    if (at_ >= size) {
      return Outcome::kEnd;
    }
    Position end = std::min(size, (at_ / batch_size_ + 1) * batch_size_);
    for (const Position cut : cuts_) {
      end = cut > at_ ? std::min(end, cut) : end;
    }
    batch = std::make_unique<PreparedBatch>();
    batch->batch.partition = partition_;
    batch->batch.begin = at_;
    batch->batch.end = end;
    batch->batch.rows = static_cast<uint32_t>(end - at_);
    SparseColumn& column = batch->batch.sparse.emplace_back();
    column.offsets.push_back(0);
    for (; at_ < end; ++at_) {
      column.keys.push_back(key_of_(partition_, at_));
      column.offsets.push_back(static_cast<uint32_t>(column.keys.size()));
    }
    preparer_.Prepare(*batch);
    return Outcome::kBatch;
  }

  void TakeBadRows(MetricsDelta&) override {}
  SourceReport report() const override { return {}; }
  Status Finish() override { return Status(); }
  void Recycle(std::unique_ptr<PreparedBatch> batch) override { recycled += batch ? 1 : 0; }

  Position broken_at = ~Position{0};  // reading fails there
  int recycled = 0;

 private:
  BatchPreparer preparer_;
  const Position batch_size_;
  const SizeOf size_of_;
  const KeyOf key_of_;
  PartitionId partition_ = 0;
  Position at_ = 0;
  std::vector<Position> cuts_;
};

}  // namespace antiphon
