// JobEngine: what a worker makes of a job file: the training plan, the reader and the model.
//
// The plan is made from the worker's own file; what it trains by is the job of the plan that the
// scheduler gives out, which has grown when the job was extended since. MakePlan and MakeEngine run
// on the training thread.
#pragma once

#include <memory>

#include "common/base/clock.h"
#include "common/base/file_system.h"
#include "common/base/status.h"
#include "common/data/job_file.h"
#include "common/math/gemm.h"
#include "stream/bad_rows.h"
#include "stream/record_stream.h"
#include "worker/session.h"

namespace antiphon {

struct JobEngineOptions {
  int compute_threads = 1;
  // What happens when a stream no longer has what is trained next.
  GapPolicy gaps = GapPolicy::kRefuse;
};

class JobEngine final : public EngineFactory {
 public:
  // `file` comes from LoadCheckedJob; all references outlive the engine and what it makes. One
  // TrainingEngine lives at a time.
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
  Job job_;  // of the plan that MakeEngine was given last
};

}  // namespace antiphon
