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
#include "stream/bad_rows.h"
#include "stream/record_stream.h"
#include "worker/session.h"

namespace antiphon {

// Loads a job and checks all of it, its model included: every error is a line of the status,
// "file:line:column: what, expected what".
StatusOr<JobFile> LoadCheckedJob(FileSystem& fs, const std::string& path,
                                 std::span<const std::string> overrides);

struct JobEngineOptions {
  int compute_threads = 1;
  // What happens when a stream no longer has what is trained next.
  GapPolicy gaps = GapPolicy::kRefuse;
};

class JobEngine final : public EngineFactory {
 public:
  // `file` comes from LoadCheckedJob; all references outlive the engine and what it makes.
  JobEngine(const JobFile& file, FileSystem& fs, Clock& clock, const Gemm& gemm,
            const JobEngineOptions& options)
      : file_(file), fs_(fs), clock_(clock), gemm_(gemm), options_(options) {}

  StatusOr<TrainingPlan> MakePlan() override;
  StatusOr<TrainingEngine> MakeEngine(const TrainingPlan& plan, const ClusterView& view,
                                      std::shared_ptr<Waker> waker) override;

 private:
  StatusOr<std::unique_ptr<SampleSource>> MakeSource(const TrainingPlan& plan, BadRows& bad_rows);

  const JobFile& file_;
  FileSystem& fs_;
  Clock& clock_;
  const Gemm& gemm_;
  const JobEngineOptions options_;
};

}  // namespace antiphon
