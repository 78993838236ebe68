// RecordStream: the seam between who needs records and a source that never ends: a growing folder,
// Kafka, Redis, and the samples that are joined of events from one of them.
//
// One partition is open at a time. Its positions grow and may have gaps; the record at a position
// is the same whoever reads it and whenever, for as long as the source keeps it. Owned by one
// thread. A source that is away for a while is waited for, with a line in the log every 5 s; one
// that no longer has what is asked for is an error, or passed over, as the options say.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/file_system.h"
#include "common/base/status.h"
#include "common/base/types.h"
#include "common/data/bad_row_reason.h"
#include "proto/job.pb.h"
#include "proto/plan.pb.h"
#include "stream/sample_source.h"

namespace antiphon {

struct StreamRecord {
  std::string_view payload;                   // valid until the next call
  BadRowReason reason = BadRowReason::kNone;  // of a record that the source itself found bad
  Position position = 0;
  Position next = 0;  // behind it: where a reader that has had it goes on
};

enum class StreamRead : uint8_t {
  kRecord,
  kNothing,  // none came in the time that was given
  kEnd,      // and none will
};

// Whether anything of a partition has been read before. If not, nothing can be missing: what the
// source still has at `from` or behind it is where it begins.
enum class Beginning : uint8_t { kFresh, kResumed };

enum class GapPolicy : uint8_t { kRefuse, kAccept };

class RecordStream {
 public:
  virtual ~RecordStream() = default;

  // Goes to `from` of the partition of this name; all before it is trained. Does not wait for a
  // source that is away.
  virtual Status Open(const std::string& partition, Position from, Beginning beginning) = 0;

  // The next record, waiting for it about `patience` at most. kOutOfRange: the source no longer has
  // what lies at the position, and gaps are refused.
  virtual StatusOr<StreamRead> Next(Duration patience, StreamRecord& record) = 0;

  // Lets go of the open partition, where only one reader at a time may hold it.
  virtual void Close() {}

  // The first line of the file that has the last record; empty where there is none.
  virtual std::string_view header() const { return {}; }

  // How far behind the end the open partition is read.
  virtual SourceReport report() const = 0;
};

struct RecordStreamOptions {
  GapPolicy gaps = GapPolicy::kRefuse;
  std::string folder;  // of the job file: where relative paths begin
};

// The samples of a job: the records of its source, or what is joined of them. `data` and the
// references outlive the stream.
StatusOr<std::unique_ptr<RecordStream>> MakeRecordStream(const DataConfig& data,
                                                         const RecordStreamOptions& options,
                                                         FileSystem& fs, Clock& clock);

// The partitions that it has, open-ended, where the job is to begin in each of them.
StatusOr<std::vector<Partition>> PlanStream(const DataConfig& data, const std::string& folder,
                                            FileSystem& fs, Clock& clock);

// The same of the source itself, whatever is made of its records.
StatusOr<std::unique_ptr<RecordStream>> MakeSourceStream(const DataConfig& data,
                                                         const RecordStreamOptions& options,
                                                         FileSystem& fs, Clock& clock);
StatusOr<std::vector<Partition>> PlanSource(const DataConfig& data, const std::string& folder,
                                            FileSystem& fs, Clock& clock);

// What a position that is gone means in words: partition, what was wanted, what is left, and how
// many records lie between where the source counts them (-1 where it does not).
Status GapError(const std::string& partition, const std::string& wanted,
                const std::string& earliest, int64_t lost_records);

}  // namespace antiphon
