// SampleSource: the seam between a trainer and where its samples come from.
//
// Samples have positions inside partitions: position p of a partition is the same sample for every
// worker, every batch size, and after every restart. Owned by one thread.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/status.h"
#include "common/base/types.h"
#include "common/data/batch.h"

namespace antiphon {

enum class ReadOutcome : uint8_t {
  kBatch,
  kNotYet,  // nothing has come for a moment: ask again
  kYield,   // enough of this partition for now: it may go to another worker
  kEnd,     // the partition has no more
};

// How a stream stands; nothing of it is known of files.
struct SourceReport {
  bool is_known = false;
  uint64_t behind = 0;           // what the source has and the reader has not read
  bool behind_in_bytes = false;  // otherwise in records
  uint64_t gaps = 0;             // parts that the source no longer had, passed over
  uint64_t gap_positions = 0;
  // Why nothing comes for away_ms now: a broker does not answer, a piece is missing. Empty while
  // the source answers.
  std::string away;
  int64_t away_ms = 0;
};

class SampleSource {
 public:
  virtual ~SampleSource() = default;

  // Goes to position `from` of a partition of the plan; from its size on there is nothing to read.
  virtual Status Open(PartitionId partition, Position from) = 0;

  // Fills `batch` with the samples up to the batch size, `cut` (which lies past the present
  // position) or the end of the partition, whichever comes first; a source that knows requests may
  // go on to the end of the last one, and a stream gives what it has when no more comes for a
  // while. The batch is empty unless the outcome is kBatch. Bad rows have their positions and are
  // left out of the rows, so a batch may have fewer rows than records, even none.
  virtual StatusOr<ReadOutcome> NextBatch(Position cut, Batch& batch) = 0;

  // After kYield: nobody can take the partition just now, so the next call of NextBatch does not
  // yield, whatever was read already.
  virtual void GoOn() {}

  // Nothing of the open partition is wanted any more: somebody else may open it.
  virtual void Close() {}

  virtual SourceReport report() const { return {}; }
};

}  // namespace antiphon
