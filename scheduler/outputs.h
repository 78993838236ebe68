// Outputs: everything that the scheduler shows and writes about a job while it runs and at its end:
// the progress line, the event file of TensorBoard and the report. Owned by the scheduler's thread.
#pragma once

#include <memory>
#include <ostream>
#include <string>

#include "common/base/clock.h"
#include "common/base/file_system.h"
#include "common/base/status.h"
#include "scheduler/event_log.h"
#include "scheduler/job_view.h"
#include "scheduler/progress.h"

namespace antiphon {

struct OutputOptions {
  std::string report_path;           // JSON at the end; empty: none
  std::string tensorboard_dir;       // empty: none
  std::ostream* progress = nullptr;  // null: progress is not shown
  ProgressStyle progress_style = ProgressStyle::kLines;
  Duration progress_every = std::chrono::seconds(5);  // a live line is drawn twice a second
};

class Outputs {
 public:
  Outputs(const OutputOptions& options, FileSystem& fs, Clock& clock);

  // Whether something is due; the view is only worth building then.
  bool Due(Time now) const;
  void Show(const JobView& job, Time now);
  // The job has ended: the last events, the table, the report. Once.
  void End(const JobView& job);

  // Why the report or the event file could not be written.
  const Status& status() const { return status_; }

 private:
  void Note(const Status& status);

  const OutputOptions options_;
  FileSystem& fs_;
  Progress progress_;
  EventLog events_;
  Time events_due_;
  Status status_;
};

}  // namespace antiphon
