// How far back the gradient of a task reaches (TaskTower.isolate).
//
// Two levels are the business of the loss: LOSS_MASK weighs nothing, EMBED_STOP takes no part in
// the backward pass that looks for the gradients of embeddings. BACKBONE_STOP is a place in the
// network: where a tower (and its gate) begins to read what tasks share.
#pragma once

#include "models/tape/column_ops.h"
#include "proto/job.pb.h"

namespace antiphon {

// What the tower and the gate of a task read of `shared`.
template <typename T>
Var<T> TowerInput(const Var<T>& shared, TaskTower::Isolation isolate) {
  return isolate == TaskTower::BACKBONE_STOP ? StopGradient(shared) : shared;
}

}  // namespace antiphon
