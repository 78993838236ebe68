// Whether a plan extends a running one: the same training, with more tasks and scenes. Pure
// functions.
#pragma once

#include "common/base/status.h"
#include "proto/plan.pb.h"

namespace antiphon {

// `extended` comes from a peer, in the order that ContinuePlan gives it. kFailedPrecondition: it
// would change what is trained on or what has been learned; kInvalidArgument: it makes no sense by
// itself, or no lane could build it. The message names the first difference.
Status CheckExtension(const TrainingPlan& running, const TrainingPlan& extended);

}  // namespace antiphon
