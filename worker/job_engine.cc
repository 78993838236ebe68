#include "worker/job_engine.h"

#include <iterator>
#include <utility>
#include <vector>

#include "common/data/job_check.h"
#include "common/data/job_defaults.h"
#include "models/input_layout.h"
#include "models/model_config.h"
#include "models/model_config_check.h"
#include "models/model_runner.h"
#include "models/parameter_schema.h"
#include "stream/data_plan.h"
#include "stream/planned_source.h"
#include "worker/read_ahead.h"
#include "worker/step_metrics.h"

namespace antiphon {
namespace {

class ModelComputer final : public StepComputer {
 public:
  explicit ModelComputer(std::unique_ptr<ModelRunner> runner) : runner_(std::move(runner)) {}

  void Train(const StepInput& input, uint64_t seed, StepGradients& gradients,
             StepOutput& output) override {
    runner_->Train(input, seed, gradients, output);
  }
  void Score(const StepInput& input, StepOutput& output) override { runner_->Score(input, output); }

  const TaskTargets& targets() const { return runner_->targets(); }

 private:
  std::unique_ptr<ModelRunner> runner_;
};

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

StatusOr<JobFile> LoadCheckedJob(FileSystem& fs, const std::string& path,
                                 std::span<const std::string> overrides) {
  AP_ASSIGN_OR_RETURN(JobFile file, LoadJob(fs, path, overrides));
  std::vector<FieldError> errors = CheckJob(file.job);
  std::vector<FieldError> model_errors = CheckModelConfig(file.job);
  errors.insert(errors.end(), std::make_move_iterator(model_errors.begin()),
                std::make_move_iterator(model_errors.end()));
  if (!errors.empty()) {
    return InvalidArgumentError(file.locations.Describe(errors));
  }
  return file;
}

StatusOr<TrainingPlan> JobEngine::MakePlan() {
  const Job& job = file_.job;
  TrainingPlan plan;
  AP_ASSIGN_OR_RETURN(*plan.mutable_schema(), BuildParameterSchema(job));
  std::vector<Partition> streams;
  if (job.data_config().has_stream()) {
    AP_ASSIGN_OR_RETURN(streams, PlanStream(job.data_config(), file_.folder, fs_, clock_));
  }
  AP_ASSIGN_OR_RETURN(DataPlan data, PlanData(job, file_.folder, fs_, streams));
  plan.mutable_features()->Assign(data.features.begin(), data.features.end());
  plan.mutable_partitions()->Assign(data.partitions.begin(), data.partitions.end());
  SetNames(job, plan);
  SetConsistency(job.train_config(), plan);
  SetWatch(job, plan);
  plan.set_job_digest(JobDigest(job));
  plan.set_job_name(job.name());
  plan.set_job(JobText(job));
  if (job.train_config().has_snapshot()) {
    *plan.mutable_snapshot() = job.train_config().snapshot();
  }
  return plan;
}

StatusOr<std::unique_ptr<SampleSource>> JobEngine::MakeSource(const TrainingPlan& plan,
                                                              BadRows& bad_rows) {
  const Job& job = file_.job;
  const LabelColumns labels = ModelLabels(job.model_config());
  AP_ASSIGN_OR_RETURN(std::unique_ptr<FileSource> files,
                      FileSource::Create(job, plan, file_.folder, labels, fs_, bad_rows));
  std::unique_ptr<StreamSource> streams;
  if (job.data_config().has_stream()) {
    AP_ASSIGN_OR_RETURN(
        std::unique_ptr<RecordStream> records,
        MakeRecordStream(job.data_config(), {.gaps = options_.gaps, .folder = file_.folder}, fs_,
                         clock_));
    AP_ASSIGN_OR_RETURN(
        streams, StreamSource::Create(job, plan, labels, std::move(records), clock_, bad_rows));
  }
  return std::unique_ptr<SampleSource>(
      std::make_unique<PlannedSource>(plan, std::move(files), std::move(streams)));
}

StatusOr<TrainingEngine> JobEngine::MakeEngine(const TrainingPlan& plan, const ClusterView& view,
                                               std::shared_ptr<Waker> waker) {
  const Job& job = file_.job;
  AP_ASSIGN_OR_RETURN(std::unique_ptr<ModelRunner> runner,
                      ModelRunner::Create(job, plan.schema(), gemm_,
                                          {.compute_threads = options_.compute_threads}));
  std::vector<TableId> table_of_column;
  for (const InputLayout::Sparse& column : MakeInputLayout(job).sparse) {
    table_of_column.push_back(column.table);
  }
  const DataConfig& data = job.data_config();
  BadRowOptions bad_row_options{.max_bad_ratio = data.max_bad_ratio(), .side_path = ""};
  if (!data.bad_rows_path().empty()) {
    bad_row_options.side_path = ResolvePath(file_.folder, data.bad_rows_path());
  }
  auto bad_rows = std::make_unique<BadRows>(bad_row_options, fs_);
  AP_ASSIGN_OR_RETURN(std::unique_ptr<SampleSource> source, MakeSource(plan, *bad_rows));
  auto computer = std::make_unique<ModelComputer>(std::move(runner));
  TrainingEngine engine;
  engine.observer = std::make_unique<StepMetrics>(plan, computer->targets(), clock_);
  engine.computer = std::move(computer);
  engine.feed = std::make_unique<ReadAhead>(
      std::move(source), BatchPreparer(plan.schema(), view, std::move(table_of_column)),
      data.prefetch_size(), std::move(waker), std::move(bad_rows));
  engine.pull_ahead_steps = job.train_config().pull_ahead_steps();
  engine.gradient_clip_norm = job.train_config().gradient_clipping_by_norm();
  return engine;
}

}  // namespace antiphon
