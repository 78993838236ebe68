#include "scheduler/plan_extension.h"

#include <algorithm>
#include <string>

#include "common/cluster/chunk_layout.h"
#include "common/optim/dense_optimizer.h"
#include "common/optim/initializer.h"
#include "common/optim/row_optimizer.h"
#include "common/optim/schema_growth.h"
#include "scheduler/plan_desk.h"

namespace antiphon {
namespace {

using Names = google::protobuf::RepeatedPtrField<std::string>;

Status CheckNames(const std::string& what, const Names& running, const Names& extended) {
  for (const std::string& name : running) {
    if (std::ranges::find(extended, name) == extended.end()) {
      return FailedPreconditionError(what + " '" + name + "' would be gone");
    }
  }
  return Status();
}

// New ones come behind, and a vocabulary may have more values behind its own.
Status CheckFeatures(const TrainingPlan& running, const TrainingPlan& extended) {
  for (int i = 0; i < running.features_size(); ++i) {
    const FeatureStatistics& before = running.features(i);
    const std::string what = "what was fitted of feature '" + before.feature_name() + "'";
    if (i >= extended.features_size()) {
      return FailedPreconditionError(what + " would be gone");
    }
    FeatureStatistics after = extended.features(i);
    const int more = after.vocabulary_size() - before.vocabulary_size();
    if (more > 0) {
      after.mutable_vocabulary()->DeleteSubrange(before.vocabulary_size(), more);
    }
    AP_RETURN_IF_ERROR(CheckSame(what, before, after));
  }
  return Status();
}

// What an extension leaves alone in every field.
TrainingPlan Constants(TrainingPlan plan) {
  plan.clear_schema();
  plan.clear_features();
  plan.clear_tasks();
  plan.clear_scenes();
  plan.clear_job();
  plan.clear_job_digest();
  plan.clear_earlier_job_digests();
  plan.clear_promotion();
  plan.mutable_watch()->clear_drift();
  return plan;
}

// A lane that cannot build what it is told to build ends the job.
Status CheckBuildable(const ParameterSchema& schema) {
  AP_RETURN_IF_ERROR(CheckSchema(schema));
  for (const TableSpec& table : schema.tables()) {
    const std::string where = "table '" + table.name() + "'";
    AP_RETURN_IF_ERROR(InitialRows::Create(table).status().WithContext(where));
    AP_RETURN_IF_ERROR(MakeRowOptimizer(table).status().WithContext(where));
  }
  for (const BlockSpec& block : schema.blocks()) {
    const std::string where = "dense block '" + block.name() + "'";
    AP_RETURN_IF_ERROR(InitialValues::Create(block.initializer()).status().WithContext(where));
    AP_RETURN_IF_ERROR(
        MakeBlockOptimizer(block, schema.chunk_floats()).status().WithContext(where));
  }
  return Status();
}

}  // namespace

Status CheckExtension(const TrainingPlan& running, const TrainingPlan& extended) {
  AP_RETURN_IF_ERROR(CheckPlan(extended));
  AP_RETURN_IF_ERROR(CheckNames("task", running.tasks(), extended.tasks()));
  AP_RETURN_IF_ERROR(CheckNames("scene", running.scenes(), extended.scenes()));
  if (running.scenes_size() == 0 && extended.scenes_size() > 0) {
    return FailedPreconditionError("the running job has no scenes, so it cannot be given any");
  }
  AP_RETURN_IF_ERROR(CheckFeatures(running, extended));
  AP_RETURN_IF_ERROR(CheckSame("the plan", Constants(running), Constants(extended)));
  AP_RETURN_IF_ERROR(CheckGrows(running.schema(), extended.schema()));
  return CheckBuildable(extended.schema());
}

}  // namespace antiphon
