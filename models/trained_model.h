// TrainedModel: what a job left, only to be read: the job, what was fitted on its data, rows and
// dense blocks. A snapshot is one (scoring/frozen_model.h), an exported version another.
//
// Frozen: any thread may read.
#pragma once

#include <span>
#include <string>

#include "common/base/types.h"
#include "proto/job.pb.h"
#include "proto/plan.pb.h"

namespace antiphon {

class TrainedModel {
 public:
  virtual ~TrainedModel() = default;

  virtual const Job& job() const = 0;
  // Its schema, and the statistics of the features.
  virtual const TrainingPlan& plan() const = 0;
  // The folder that was read.
  virtual const std::string& folder() const = 0;

  // Copies the weights of a row, as many as the table's dim. False, and `weights` as they were, for
  // a key that has no row.
  virtual bool CopyRow(TableId table, Key key, float* weights) const = 0;
  // By BlockId.
  virtual std::span<const float> block(BlockId id) const = 0;
};

}  // namespace antiphon
