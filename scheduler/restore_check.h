// Whether a snapshot fits a plan: what must be equal, and the difference in words. Pure functions.
#pragma once

#include "common/base/status.h"
#include "proto/parameters.pb.h"
#include "proto/plan.pb.h"

namespace antiphon {

// The rows and blocks of a snapshot can be used under `planned`: same shards and chunks, the
// snapshot's tables and blocks with their sizes and optimizers, and behind them any number of new
// ones. The seed and the initializers only concern rows that do not exist yet and may differ.
Status CheckSchemasFit(const ParameterSchema& snapshot, const ParameterSchema& planned);

// Whether positions in the partitions of one plan mean the same in the other.
bool SamePartitions(const TrainingPlan& left, const TrainingPlan& right);

}  // namespace antiphon
