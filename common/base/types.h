// The few integers that every room speaks: what they count and how wide they are.
#pragma once

#include <cstdint>

namespace antiphon {

// A feature id inside one table. (table, key) names one embedding row of the whole job.
using Key = uint64_t;

// Index of a table in the job's parameter schema, of a dense block in the same schema.
using TableId = uint32_t;
using BlockId = uint32_t;

// One of the S fixed parts of the key space. S never changes during the life of a model.
using ShardId = uint32_t;

// Index of a lane in the cluster view: lanes of server 0 first, then those of server 1, ...
using LaneId = uint32_t;

// A data partition: a range of samples that is trained in order by one lease holder at a time.
using PartitionId = uint32_t;

// Ordinal of a sample in its partition; the unit of exactly-once bookkeeping.
using Position = uint64_t;

// A random non-zero number drawn by a process (or an in-process node) when it starts.
using Incarnation = uint64_t;

// A worker's step count as BSP and SSP see it: pushes completed since the worker joined.
using Tick = int64_t;

}  // namespace antiphon
