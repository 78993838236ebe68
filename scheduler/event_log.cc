#include "scheduler/event_log.h"

#include <cmath>
#include <span>

#include "scheduler/event_record.h"

namespace antiphon {
namespace {

void AddScalar(TensorBoardSummary& summary, const std::string& tag, double value) {
  if (std::isfinite(value)) {
    TensorBoardSummary::Value& scalar = *summary.add_value();
    scalar.set_tag(tag);
    scalar.set_simple_value(static_cast<float>(value));
  }
}

void AddMetrics(TensorBoardSummary& out, const std::string& tag, const MetricSummary& metrics) {
  AddScalar(out, tag + "/loss", metrics.logloss);
  AddScalar(out, tag + "/auc", metrics.auc);
  AddScalar(out, tag + "/ne", metrics.ne);
  AddScalar(out, tag + "/pcoc", metrics.pcoc);
  AddScalar(out, tag + "/gauc", metrics.gauc);
  AddScalar(out, tag + "/mse", metrics.mse);
  AddScalar(out, tag + "/mae", metrics.mae);
  AddScalar(out, tag + "/pair_accuracy", metrics.pair_accuracy);
}

void AddTasks(TensorBoardSummary& out, const std::string& phase, const TrainingPlan& plan,
              const std::vector<TaskSummary>& tasks) {
  for (size_t i = 0; i < tasks.size(); ++i) {
    const std::string tag = phase + "/" + plan.tasks(static_cast<int>(i));
    AddMetrics(out, tag, tasks[i].all);
    for (size_t scene = 0; scene < tasks[i].scenes.size(); ++scene) {
      AddMetrics(out, tag + "/" + plan.scenes(static_cast<int>(scene)), tasks[i].scenes[scene]);
    }
  }
}

}  // namespace

TensorBoardEvent EventLog::EventAt(uint64_t samples) const {
  TensorBoardEvent event;
  event.set_wall_time(static_cast<double>(clock_.WallSeconds()));
  event.set_step(static_cast<int64_t>(samples));
  return event;
}

Status EventLog::Append(const TensorBoardEvent& event) {
  const std::string record = EventRecord(event.SerializeAsString());
  return file_->Append(std::as_bytes(std::span(record.data(), record.size())));
}

Status EventLog::Open() {
  AP_RETURN_IF_ERROR(fs_.MakeDirectories(directory_));
  const std::string path =
      directory_ + "/events.out.tfevents." + std::to_string(clock_.WallSeconds()) + ".antiphon";
  AP_ASSIGN_OR_RETURN(file_, fs_.Create(path));
  TensorBoardEvent first = EventAt(0);
  first.set_file_version("brain.Event:2");
  return Append(first);
}

Status EventLog::Write(const JobView& job) {
  if (!enabled() || job.metrics == nullptr) {
    return Status();
  }
  Status status = file_ == nullptr ? Open() : Status();
  const std::vector<Evaluation>& evaluations = job.metrics->evaluations();
  for (; status.ok() && evaluations_written_ < evaluations.size(); ++evaluations_written_) {
    const Evaluation& evaluation = evaluations[evaluations_written_];
    TensorBoardEvent event = EventAt(evaluation.samples_trained);
    AddTasks(*event.mutable_summary(), "eval", job.metrics->plan(), evaluation.tasks);
    status = Append(event);
  }
  if (status.ok() && job.samples > last_samples_) {
    last_samples_ = job.samples;
    TensorBoardEvent event = EventAt(job.samples);
    AddTasks(*event.mutable_summary(), "train", job.metrics->plan(), job.metrics->Recent());
    AddScalar(*event.mutable_summary(), "speed/samples_per_second", job.samples_per_second);
    status = Append(event);
  }
  if (!status.ok()) {
    directory_.clear();
  }
  return status;
}

}  // namespace antiphon
