// KeyOfValue: which row of a table a text of the data reads, so that people can ask for the row of
// "Never married" and not of 4711.
//
// Uses the transform that training uses, with the vocabularies of the plan. Pure function.
#pragma once

#include <string>

#include "common/base/status.h"
#include "common/base/types.h"
#include "proto/plan.pb.h"

namespace antiphon {

// `value` is one value as it stands in the data. Where several features read the table they agree,
// except on vocabularies: the first that knows the value decides. kInvalidArgument when no feature
// reads the table or `value` reads no row of it.
StatusOr<Key> KeyOfValue(const TrainingPlan& plan, const std::string& table,
                         const std::string& value);

}  // namespace antiphon
