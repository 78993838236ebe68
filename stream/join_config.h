// What a joiner's configuration means for records: which fields are the events' and which ones
// joining adds. Pure functions.
#pragma once

#include <cstdint>

#include "common/base/status.h"
#include "join/join_rules.h"
#include "proto/job.pb.h"

namespace antiphon {

// The events of a job whose workers join them: its data_config without the fields that joining
// adds. kInvalidArgument: these are not where joining puts them.
StatusOr<DataConfig> EventsOfJob(const DataConfig& samples, const JoinRules& rules);

// Of everything that decides which samples come out of the same events, and where they go: another
// one cannot go on from a joiner's state. `outlets`: so many partitions share the samples.
uint64_t JoinDigest(const DataConfig& events, size_t outlets);

}  // namespace antiphon
