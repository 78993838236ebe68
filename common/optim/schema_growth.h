// Whether a schema can become a larger one while its rows and blocks stay where they are: the rule
// that a scheduler and its lanes agree on when a running job is extended.
#pragma once

#include <string>

#include <google/protobuf/message.h>

#include "common/base/status.h"
#include "proto/parameters.pb.h"

namespace antiphon {

// `after` has every table and block of `before`, in their places and the same to the last field,
// and any number of new ones behind them; a block that holds the weights of tasks may have more
// columns. kFailedPrecondition otherwise, with the first difference. Pure function.
Status CheckGrows(const ParameterSchema& before, const ParameterSchema& after);

// kFailedPrecondition with the first field that differs: "table 'user' would be another one:
// modified: dim: 8 -> 16". Pure function.
Status CheckSame(const std::string& what, const google::protobuf::Message& before,
                 const google::protobuf::Message& after);

}  // namespace antiphon
