// Progress: how a person sees the job: one line that is drawn again on a terminal, a line every few
// seconds elsewhere, and a table at the end.
//
// The text functions are pure; Progress decides when a line is due. Owned by the scheduler's
// thread.
#pragma once

#include <optional>
#include <ostream>
#include <string>

#include "common/base/clock.h"
#include "scheduler/job_view.h"

namespace antiphon {

enum class ProgressStyle {
  kLines,     // a line every few seconds
  kLiveLine,  // one line that is drawn again; for terminals
};

// "1.2 M / 6.0 M samples  24.1 k/s  loss 0.4311  click 0.7342  gift 0.8120  ETA 3m 20s"
std::string ProgressText(const JobView& job);

// One row a task and scene: AUC, log loss, NE, PCOC of the last evaluation, or of training when the
// job had none. Ends with a newline; empty when nothing was measured.
std::string FinalTable(const MetricsBoard& metrics);

class Progress {
 public:
  // `out` may be null: then nothing is shown.
  Progress(std::ostream* out, ProgressStyle style, Duration every)
      : out_(out), style_(style), every_(every) {}

  // Whether a line is due; the view is only worth building then.
  bool Due(Time now) const;
  void Show(const JobView& job, Time now);
  // The job has ended: the line stays, the table follows.
  void ShowEnd(const JobView& job);

 private:
  void Write(const std::string& text);

  std::ostream* out_;
  ProgressStyle style_;
  Duration every_;
  std::optional<Time> last_;
  std::string last_text_;
  bool line_is_open_ = false;  // a live line is on the screen
};

}  // namespace antiphon
