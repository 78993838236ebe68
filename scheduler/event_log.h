// EventLog: scalars for TensorBoard: loss and AUC while training, every metric of each evaluation,
// task by task and scene by scene. The step of a point is the number of samples trained.
//
// One file for each run of the scheduler. Owned by the scheduler's thread.
#pragma once

#include <memory>
#include <string>

#include "common/base/clock.h"
#include "common/base/file_system.h"
#include "common/base/status.h"
#include "proto/tensorboard.pb.h"
#include "scheduler/job_view.h"

namespace antiphon {

class EventLog {
 public:
  // An empty `directory` turns it off.
  EventLog(std::string directory, FileSystem& fs, Clock& clock)
      : directory_(std::move(directory)), fs_(fs), clock_(clock) {}

  bool enabled() const { return !directory_.empty(); }

  // Adds what is new since the last call; makes the file with the first one. Once a write has
  // failed the log is off.
  Status Write(const JobView& job);

 private:
  Status Open();
  Status Append(const TensorBoardEvent& event);
  TensorBoardEvent EventAt(uint64_t samples) const;

  std::string directory_;
  FileSystem& fs_;
  Clock& clock_;
  std::unique_ptr<WritableFile> file_;
  uint64_t last_samples_ = 0;
  size_t evaluations_written_ = 0;
};

}  // namespace antiphon
