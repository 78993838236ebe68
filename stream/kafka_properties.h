// What the job file says librdkafka shall know: data_config.stream.kafka.properties.
//
// They go on as they stand, but for secrets: the job file is printed, and kept in the plan, the
// scheduler's journal and every snapshot, so a secret stands there as the name of an environment
// variable of the worker. Pure, but for reading the environment.
#pragma once

#include <string>

#include "common/base/status.h"
#include "proto/stream.pb.h"

namespace antiphon {

// The value, read from the environment where the property says `env:NAME`. kInvalidArgument, which
// never names a value: the property is a secret and stands there itself, or there is no such
// variable.
StatusOr<std::string> ValueOf(const ClientProperty& property);

}  // namespace antiphon
