#include "scheduler/progress.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

#include "common/base/text.h"

namespace antiphon {
namespace {

constexpr Duration kLiveEvery = std::chrono::milliseconds(500);
constexpr const char* kStartOfLine = "\r\x1b[K";

std::string Fixed(double value, int digits) {
  if (!std::isfinite(value)) {
    return "-";
  }
  char text[64];
  std::snprintf(text, sizeof(text), "%.*f", digits, value);
  return text;
}

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

struct Row {
  std::vector<std::string> cells;
};

Row MetricRow(const std::string& task, const std::string& scene, const MetricSummary& summary,
              bool with_gauc) {
  Row row{{task, scene, std::to_string(summary.samples), Fixed(summary.auc, 4),
           Fixed(summary.logloss, 4), Fixed(summary.ne, 4), Fixed(summary.pcoc, 3)}};
  if (with_gauc) {
    row.cells.push_back(Fixed(summary.gauc, 4));
  }
  return row;
}

std::string Aligned(const std::vector<Row>& rows) {
  std::vector<size_t> widths(rows.front().cells.size());
  for (const Row& row : rows) {
    for (size_t i = 0; i < row.cells.size(); ++i) {
      widths[i] = std::max(widths[i], row.cells[i].size());
    }
  }
  std::string text;
  for (const Row& row : rows) {
    for (size_t i = 0; i < row.cells.size(); ++i) {
      const std::string padding(widths[i] - row.cells[i].size(), ' ');
      // Names stand left, numbers right.
      text += i < 2 ? row.cells[i] + padding : padding + row.cells[i];
      text += i + 1 < row.cells.size() ? "  " : "\n";
    }
  }
  return text;
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
  text += "  loss " + Fixed(loss, 4);
  for (size_t i = 0; i < tasks.size(); ++i) {
    text +=
        "  " + job.metrics->plan().tasks(static_cast<int>(i)) + " " + Fixed(tasks[i].all.auc, 4);
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
  const bool with_gauc = evaluated && plan.has_gauc();
  std::vector<Row> rows = {{{"TASK", "SCENE", "SAMPLES", "AUC", "LOGLOSS", "NE", "PCOC"}}};
  if (with_gauc) {
    rows.front().cells.push_back("GAUC");
  }
  for (size_t i = 0; i < tasks.size(); ++i) {
    const std::string& name = plan.tasks(static_cast<int>(i));
    if (tasks[i].all.samples > 0) {
      rows.push_back(MetricRow(name, "all", tasks[i].all, with_gauc));
    }
    for (size_t scene = 0; scene < tasks[i].scenes.size(); ++scene) {
      if (tasks[i].scenes[scene].samples > 0) {
        rows.push_back(MetricRow(name, plan.scenes(static_cast<int>(scene)), tasks[i].scenes[scene],
                                 with_gauc));
      }
    }
  }
  if (rows.size() == 1) {
    return "";
  }
  return std::string(evaluated ? "held-out evaluation\n" : "progressive validation\n") +
         Aligned(rows);
}

bool Progress::Due(Time now) const {
  const Duration every = style_ == ProgressStyle::kLiveLine ? kLiveEvery : every_;
  return out_ != nullptr && (!last_.has_value() || now - *last_ >= every);
}

void Progress::Write(const std::string& text) {
  if (style_ == ProgressStyle::kLiveLine) {
    *out_ << kStartOfLine << text << std::flush;
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
