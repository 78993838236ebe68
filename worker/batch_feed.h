// BatchFeed: where a partition's batches come from. The production feed reads ahead on a thread of
// its own; a test's feed makes them up. Called by the training thread only.
#pragma once

#include <memory>
#include <vector>

#include "common/base/status.h"
#include "common/base/types.h"
#include "proto/metrics.pb.h"
#include "stream/sample_source.h"
#include "worker/prepared_batch.h"

namespace antiphon {

class BatchFeed {
 public:
  enum class Outcome {
    kBatch,
    kNotReady,  // the feed wakes the training thread's endpoint when one is
    kYield,     // no more of this partition in this lease
    kEnd,       // the partition has no more
  };

  virtual ~BatchFeed() = default;

  // From now on batches of `partition` from position `from`. No batch straddles a position of
  // `cuts` (ascending): lanes that were restored from different snapshots stand there.
  virtual void Start(PartitionId partition, Position from, std::vector<Position> cuts) = 0;

  // Nothing of the partition is wanted any more: whoever has its lease now may need what the feed
  // holds of it.
  virtual void Stop() {}

  // The source has had its share of the partition. The feed goes on all the same until LetYield:
  // without a scheduler nobody could take the partition over, and training would stand still.
  virtual bool wants_to_yield() const { return false; }
  virtual void LetYield() {}

  // The next batch, in order of position.
  virtual StatusOr<Outcome> Next(std::unique_ptr<PreparedBatch>& batch) = 0;

  // Adds the rows read since the last call, and the bad ones by reason.
  virtual void TakeBadRows(MetricsDelta& delta) = 0;

  // How the stream stands that is being read; nothing is known of files.
  virtual SourceReport report() const = 0;

  // The job is over: an error when too much of the little that was read was bad.
  virtual Status Finish() = 0;

  // Gives a batch's memory back for another one.
  virtual void Recycle(std::unique_ptr<PreparedBatch> batch) = 0;
};

}  // namespace antiphon
