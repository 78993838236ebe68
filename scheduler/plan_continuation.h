// ContinuePlan: the plan of a job that goes on from a snapshot whose job may have been smaller.
//
// A scene or a task that was added brings dense blocks of its own. What the snapshot has keeps its
// numbers, because they decide where it lies and how it starts; what is new comes behind. What was
// fitted on data stays too: a model must go on reading its features as it learned them. Pure
// function.
#pragma once

#include "proto/plan.pb.h"

namespace antiphon {

// `planned` with its blocks in the snapshot's order, new ones last (the columns of the weights of
// tasks as well), and with the snapshot's feature
// statistics; vocabularies begin with the snapshot's. Whether they fit at all is CheckSchemasFit's
// business.
TrainingPlan ContinuePlan(const TrainingPlan& snapshot, TrainingPlan planned);

}  // namespace antiphon
