#include "scheduler/progress.h"

#include <cmath>
#include <utility>
#include <vector>

#include "common/base/text.h"
#include "common/base/text_table.h"

namespace antiphon {
namespace {

constexpr Duration kLiveEvery = std::chrono::milliseconds(500);
// The line is drawn over the last one. A terminal that is too narrow cuts it off: wrapped, it could
// not be drawn over.
constexpr const char* kStartOfLine = "\r\x1b[K\x1b[?7l";
constexpr const char* kEndOfLine = "\x1b[?7h";

std::string WaitingText(const JobView& job) {
  std::string text = "waiting: " + std::to_string(job.servers) + " of " +
                     std::to_string(job.servers_expected) + " servers, " +
                     std::to_string(job.workers) + " of " + std::to_string(job.workers_expected) +
                     " workers";
  if (job.servers == job.servers_expected && job.workers > 0) {
    text += "; the plan is being made";
  }
  return text;
}

// What not every job has.
struct Columns {
  bool gauc = false;
  bool number = false;  // some task learns one
  bool order = false;
};

Columns ColumnsOf(const std::vector<TaskSummary>& tasks, bool with_gauc) {
  Columns columns{.gauc = with_gauc};
  for (const TaskSummary& task : tasks) {
    columns.number = columns.number || std::isfinite(task.all.mse);
    columns.order = columns.order || std::isfinite(task.all.pair_accuracy);
  }
  return columns;
}

std::vector<std::string> Headers(const Columns& columns) {
  std::vector<std::string> headers = {"TASK", "SCENE", "SAMPLES", "AUC", "LOGLOSS", "NE", "PCOC"};
  if (columns.gauc) {
    headers.push_back("GAUC");
  }
  if (columns.number) {
    headers.insert(headers.end(), {"MSE", "MAE"});
  }
  if (columns.order) {
    headers.push_back("PAIRS");
  }
  return headers;
}

void AddRow(TextTable& table, const std::string& task, const std::string& scene,
            const MetricSummary& summary, const Columns& columns) {
  if (summary.samples == 0) {
    return;
  }
  std::vector<std::string> cells = {task,
                                    scene,
                                    std::to_string(summary.samples),
                                    FormatFixed(summary.auc, 4),
                                    FormatFixed(summary.logloss, 4),
                                    FormatFixed(summary.ne, 4),
                                    FormatFixed(summary.pcoc, 3)};
  if (columns.gauc) {
    cells.push_back(FormatFixed(summary.gauc, 4));
  }
  if (columns.number) {
    cells.push_back(FormatFixed(summary.mse, 4));
    cells.push_back(FormatFixed(summary.mae, 4));
  }
  if (columns.order) {
    cells.push_back(FormatFixed(summary.pair_accuracy, 4));
  }
  table.AddRow(std::move(cells));
}

std::string TaskWeightsText(const MetricsBoard& metrics) {
  std::string text;
  for (size_t task = 0; task < metrics.task_weights().size(); ++task) {
    const WeightSummary& weight = metrics.task_weights()[task];
    text += (text.empty() ? "task weights: " : ", ") +
            metrics.plan().tasks(static_cast<int>(task)) + " " + FormatFixed(weight.weight, 4);
    if (std::isfinite(weight.mean)) {
      text += " (mean " + FormatFixed(weight.mean, 4) + ")";
    }
  }
  return text.empty() ? text : text + "\n";
}

}  // namespace

std::string ProgressText(const JobView& job) {
  if (job.metrics == nullptr) {
    return WaitingText(job);
  }
  std::string text = FormatCount(static_cast<double>(job.samples)) + " / " +
                     FormatCount(static_cast<double>(job.samples_planned)) + " samples  " +
                     FormatCount(job.samples_per_second) + "/s";
  const std::vector<TaskSummary> tasks = job.metrics->Recent();
  double loss = 0;
  for (const TaskSummary& task : tasks) {
    loss += std::isfinite(task.all.logloss) ? task.all.logloss : 0;
  }
  text += "  loss " + FormatFixed(loss, 4);
  for (size_t i = 0; i < tasks.size(); ++i) {
    text += "  " + job.metrics->plan().tasks(static_cast<int>(i)) + " " +
            FormatFixed(tasks[i].all.auc, 4);
  }
  if (job.state == JOB_RUNNING && job.workers == 0) {
    return text + "  no worker lives: waiting for one";
  }
  if (job.state == JOB_RUNNING && job.samples_per_second > 0 && job.samples < job.samples_planned) {
    text += "  ETA " + FormatSeconds(static_cast<double>(job.samples_planned - job.samples) /
                                     job.samples_per_second);
  }
  return text;
}

std::string FinalTable(const MetricsBoard& metrics) {
  const TrainingPlan& plan = metrics.plan();
  const bool evaluated = !metrics.evaluations().empty();
  const std::vector<TaskSummary> tasks =
      evaluated ? metrics.evaluations().back().tasks : metrics.Training();
  const Columns columns = ColumnsOf(tasks, evaluated && plan.has_gauc());
  TextTable table(Headers(columns), 2);
  for (size_t i = 0; i < tasks.size(); ++i) {
    const std::string& name = plan.tasks(static_cast<int>(i));
    AddRow(table, name, "all", tasks[i].all, columns);
    for (size_t scene = 0; scene < tasks[i].scenes.size(); ++scene) {
      AddRow(table, name, plan.scenes(static_cast<int>(scene)), tasks[i].scenes[scene], columns);
    }
  }
  if (table.empty()) {
    return "";
  }
  return (evaluated ? "held-out evaluation\n" : "progressive validation\n") + table.ToString() +
         TaskWeightsText(metrics);
}

bool Progress::Due(Time now) const {
  const Duration every = style_ == ProgressStyle::kLiveLine ? kLiveEvery : every_;
  return out_ != nullptr && (!last_.has_value() || now - *last_ >= every);
}

void Progress::Write(const std::string& text) {
  if (style_ == ProgressStyle::kLiveLine) {
    *out_ << kStartOfLine << text << kEndOfLine << std::flush;
    line_is_open_ = true;
  } else if (text != last_text_) {
    // A job that only waits says so once.
    *out_ << text << std::endl;
  }
  last_text_ = text;
}

void Progress::Show(const JobView& job, Time now) {
  last_ = now;
  Write(ProgressText(job));
}

void Progress::ShowEnd(const JobView& job) {
  if (out_ == nullptr) {
    return;
  }
  if (job.metrics != nullptr) {
    Write(ProgressText(job));
  }
  if (line_is_open_) {
    *out_ << "\n";
    line_is_open_ = false;
  }
  if (job.metrics != nullptr) {
    *out_ << FinalTable(*job.metrics);
  }
  if (job.state == JOB_FINISHED) {
    *out_ << "finished: " << job.samples << " samples in " << FormatSeconds(job.seconds);
    if (!job.last_snapshot.empty()) {
      *out_ << ", snapshot " << job.last_snapshot;
    }
    *out_ << std::endl;
  } else {
    *out_ << (job.state == JOB_FAILED ? "failed: " : "stopped: ") << job.reason << std::endl;
  }
}

}  // namespace antiphon
