#include "scheduler/outputs.h"

#include "common/base/logging.h"
#include "scheduler/report.h"

namespace antiphon {
namespace {

constexpr Duration kEventsEvery = std::chrono::seconds(5);

}  // namespace

Outputs::Outputs(const OutputOptions& options, FileSystem& fs, Clock& clock)
    : options_(options),
      fs_(fs),
      progress_(options.progress, options.progress_style, options.progress_every),
      events_(options.tensorboard_dir, fs, clock) {}

bool Outputs::Due(Time now) const {
  return progress_.Due(now) || (events_.enabled() && now >= events_due_);
}

void Outputs::Note(const Status& status) {
  if (!status.ok() && status_.ok()) {
    LOG(WARNING) << status;
    status_ = status;
  }
}

void Outputs::Show(const JobView& job, Time now) {
  if (progress_.Due(now)) {
    progress_.Show(job, now);
  }
  if (events_.enabled() && now >= events_due_) {
    events_due_ = now + kEventsEvery;
    Note(events_.Write(job).WithContext("--tensorboard"));
  }
}

void Outputs::End(const JobView& job) {
  if (events_.enabled()) {
    Note(events_.Write(job).WithContext("--tensorboard"));
  }
  progress_.ShowEnd(job);
  if (!options_.report_path.empty()) {
    Note(WriteFileAtomically(fs_, options_.report_path, ReportJson(job)).WithContext("--report"));
  }
}

}  // namespace antiphon
