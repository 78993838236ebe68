// SampleSource: the seam between a trainer and where its samples come from.
//
// Samples have positions inside partitions: position p of a partition is the same sample for every
// worker, every batch size, and after every restart. Owned by one thread.
#pragma once

#include "common/base/status.h"
#include "common/base/types.h"
#include "common/data/batch.h"

namespace antiphon {

class SampleSource {
 public:
  virtual ~SampleSource() = default;

  // Goes to position `from` of a partition of the plan; from its size on there is nothing to read.
  virtual Status Open(PartitionId partition, Position from) = 0;

  // Fills `batch` with the samples up to the next multiple of the batch size, `cut` (which lies
  // past the present position) or the end of the partition, whichever comes first; a source that
  // knows requests may go on to the end of the last one. False, with an
  // empty batch, at the end. Bad rows have their positions and are left out of the rows, so a
  // batch may have fewer rows than positions, even none.
  virtual StatusOr<bool> NextBatch(Position cut, Batch& batch) = 0;
};

}  // namespace antiphon
