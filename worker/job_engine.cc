#include "worker/job_engine.h"

#include <utility>
#include <vector>

#include "models/input_layout.h"
#include "models/job_plan.h"
#include "models/model_config.h"
#include "models/model_runner.h"
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

}  // namespace

StatusOr<TrainingPlan> JobEngine::MakePlan() {
  const Job& job = file_.job;
  AP_ASSIGN_OR_RETURN(TrainingPlan plan, PlanWithoutData(job));
  std::vector<Partition> streams;
  if (job.data_config().has_stream()) {
    AP_ASSIGN_OR_RETURN(streams, PlanStream(job.data_config(), file_.folder, fs_, clock_));
  }
  AP_ASSIGN_OR_RETURN(DataPlan data, PlanData(job, file_.folder, fs_, streams));
  plan.mutable_features()->Assign(data.features.begin(), data.features.end());
  plan.mutable_partitions()->Assign(data.partitions.begin(), data.partitions.end());
  return plan;
}

StatusOr<std::unique_ptr<SampleSource>> JobEngine::MakeSource(const TrainingPlan& plan,
                                                              BadRows& bad_rows) {
  const Job& job = job_;
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
  AP_ASSIGN_OR_RETURN(job_, JobOfPlan(plan));
  const Job& job = job_;
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
