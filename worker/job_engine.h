// JobEngine: what a worker makes of a job file: the training plan, the reader and the model.
//
// The job is frozen; MakePlan and MakeEngine run on the training thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "common/base/clock.h"
#include "common/base/file_system.h"
#include "common/base/status.h"
#include "common/data/job_file.h"
#include "common/math/gemm.h"
#include "worker/session.h"

namespace antiphon {

// Loads a job and checks all of it, its model included: every error is a line of the status,
// "file:line:column: what, expected what".
StatusOr<JobFile> LoadCheckedJob(FileSystem& fs, const std::string& path,
                                 std::span<const std::string> overrides);

class JobEngine final : public EngineFactory {
 public:
  // `file` comes from LoadCheckedJob; all references outlive the engine and what it makes. Steps
  // are computed by `compute_threads` threads.
  JobEngine(const JobFile& file, FileSystem& fs, Clock& clock, const Gemm& gemm,
            int compute_threads)
      : file_(file), fs_(fs), clock_(clock), gemm_(gemm), compute_threads_(compute_threads) {}

  StatusOr<TrainingPlan> MakePlan() override;
  StatusOr<TrainingEngine> MakeEngine(const TrainingPlan& plan, const ClusterView& view,
                                      std::shared_ptr<Waker> waker) override;

 private:
  const JobFile& file_;
  FileSystem& fs_;
  Clock& clock_;
  const Gemm& gemm_;
  const int compute_threads_;
};

}  // namespace antiphon
