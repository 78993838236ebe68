// JoinedStream: a stream of the samples that are joined of a stream of events, in the worker that
// trains them (docs/late_labels.md).
//
// Who opens a partition of it is its joiner: it holds the joiner's state, a RocksDB folder that one
// process at a time may open, and joins when it is asked for more than has been joined. A position
// is the number of a sample. Samples are in the state before they are handed out, and stay for as
// long as the job says, so whoever opens the partition next, in whatever process, gets the same
// ones from every position that is still kept. A folder that another process holds is waited for
// like a broker that is away.
//
// The partitions are "joined/0", "joined/1", ..., one for each partition of the events, where
// feedback comes together with its impression, and otherwise one, "joined".
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "stream/record_stream.h"

namespace antiphon {

// kInvalidArgument: the configuration of the join does not fit the job's fields.
StatusOr<std::unique_ptr<RecordStream>> MakeJoinedStream(const DataConfig& data,
                                                         const RecordStreamOptions& options,
                                                         FileSystem& fs, Clock& clock);

// Where the source of the events is asked how many partitions it has, it is waited for.
StatusOr<std::vector<Partition>> PlanJoinedStream(const DataConfig& data, const std::string& folder,
                                                  FileSystem& fs, Clock& clock);

}  // namespace antiphon
