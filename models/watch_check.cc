#include "models/watch_check.h"

#include <string>
#include <vector>

#include "models/model_config.h"

namespace antiphon {
namespace {

constexpr uint64_t kMaxWindows = 10'000;
constexpr uint64_t kMaxHalfLife = 1'000'000'000'000;

void CheckWindows(const Job& job, FieldChecks& checks) {
  const WatchConfig& watch = job.watch();
  if (watch.window_samples() > 0 && watch.window_seconds() > 0) {
    checks.Add("watch.window_seconds", "a window is so many samples or so many seconds, not both");
  }
  if (watch.window_seconds() > 0 && !job.data_config().has_time_field()) {
    checks.Add("watch.window_seconds", "needs data_config.time_field: windows are of event time");
  }
  checks.Range("watch.keep_windows", uint64_t{watch.keep_windows()}, 1, kMaxWindows);
  checks.Range("watch.half_life_samples", watch.half_life_samples(), 1, kMaxHalfLife);
  if (watch.drift_size() > 0 && watch.window_samples() == 0 && watch.window_seconds() == 0) {
    checks.Add("watch.drift", "looks at windows: expected window_samples or window_seconds");
  }
}

void CheckPcoc(const std::string& path, bool has_min, double min, bool has_max, double max,
               FieldChecks& checks) {
  if (has_min && has_max && !(min <= max)) {
    checks.Add(path + ".max_pcoc",
               GotExpected(NumberText(max), "at least min_pcoc, " + NumberText(min)));
  }
}

}  // namespace

void CheckWatch(const Job& job, FieldChecks& checks) {
  const std::vector<std::string> tasks = MeasureNames(job.model_config());
  if (job.has_watch()) {
    CheckWindows(job, checks);
  }
  for (int i = 0; i < job.watch().drift_size(); ++i) {
    const DriftAlarm& alarm = job.watch().drift(i);
    const std::string path = ElementPath("watch.drift", i);
    checks.Known(path + ".tower_name", alarm.tower_name(), "existing task", tasks);
    if (!alarm.has_max_auc_drop() && !alarm.has_min_pcoc() && !alarm.has_max_pcoc()) {
      checks.Add(path, "has no bound, expected max_auc_drop, min_pcoc or max_pcoc");
    }
    checks.Range(path + ".max_auc_drop", alarm.max_auc_drop(), 0, 1);
    CheckPcoc(path, alarm.has_min_pcoc(), alarm.min_pcoc(), alarm.has_max_pcoc(), alarm.max_pcoc(),
              checks);
  }
  for (int i = 0; i < job.promotion_size(); ++i) {
    const Promotion& gate = job.promotion(i);
    const std::string path = ElementPath("promotion", i);
    checks.Known(path + ".tower_name", gate.tower_name(), "existing task", tasks);
    if (!gate.has_min_auc() && !gate.has_max_logloss() && !gate.has_min_pcoc() &&
        !gate.has_max_pcoc()) {
      checks.Add(path, "has no bound, expected min_auc, max_logloss, min_pcoc or max_pcoc");
    }
    checks.Range(path + ".min_auc", gate.min_auc(), 0, 1);
    CheckPcoc(path, gate.has_min_pcoc(), gate.min_pcoc(), gate.has_max_pcoc(), gate.max_pcoc(),
              checks);
  }
}

}  // namespace antiphon
