#include "models/job_plan.h"

#include <string>

#include "common/data/job_defaults.h"
#include "common/data/job_text.h"
#include "models/model_config.h"
#include "models/parameter_schema.h"

namespace antiphon {
namespace {

void SetConsistency(const TrainConfig& config, TrainingPlan& plan) {
  if (config.sync_replicas()) {
    plan.set_max_staleness(0);
  } else if (config.has_max_staleness()) {
    plan.set_max_staleness(config.max_staleness());
  }
}

void SetNames(const Job& job, TrainingPlan& plan) {
  for (const std::string& task : MeasureNames(job.model_config())) {
    plan.add_tasks(task);
  }
  *plan.mutable_scenes() = job.data_config().scenes();
  for (const Metric& metric : job.eval_config().metrics_set()) {
    if (metric.has_gauc()) {
      *plan.mutable_gauc() = metric.gauc();
    }
  }
}

// What the scheduler has to do while the job runs.
void SetWatch(const Job& job, TrainingPlan& plan) {
  if (job.train_config().has_snapshot()) {
    *plan.mutable_snapshot() = job.train_config().snapshot();
  }
  if (job.has_watch()) {
    *plan.mutable_watch() = job.watch();
  }
  *plan.mutable_promotion() = job.promotion();
}

}  // namespace

StatusOr<TrainingPlan> PlanWithoutData(const Job& job) {
  TrainingPlan plan;
  AP_ASSIGN_OR_RETURN(*plan.mutable_schema(), BuildParameterSchema(job));
  SetNames(job, plan);
  SetConsistency(job.train_config(), plan);
  SetWatch(job, plan);
  plan.set_job_digest(JobDigest(job));
  plan.set_job_name(job.name());
  plan.set_job(JobText(job));
  return plan;
}

StatusOr<Job> JobOfPlan(const TrainingPlan& plan) {
  StatusOr<ParsedJob> parsed = ParseJobText("the plan's job", plan.job());
  if (!parsed.ok()) {
    return DataLossError(parsed.status().message());
  }
  return std::move(parsed->job);
}

}  // namespace antiphon
