// PlanDesk: who makes the training plan, and the plan itself once there is one.
//
// The plan comes from one worker, which reads the training data once; all others wait for it. When
// that worker dies first, another is asked. A state machine without a thread; owned by the
// scheduler's thread.
#pragma once

#include <memory>
#include <optional>
#include <span>

#include "common/base/status.h"
#include "common/base/types.h"
#include "common/wire/buffer.h"
#include "proto/plan.pb.h"
#include "scheduler/membership.h"

namespace antiphon {

// What the rest of the scheduler relies on: tables and partitions that exist, sizes within limits,
// stages that never decrease and hold one kind of partition each. Plans come from peers.
Status CheckPlan(const TrainingPlan& plan);

class PlanDesk {
 public:
  // Whether `worker` is the one to make the plan: the first that asks.
  bool MayPropose(Incarnation worker);
  void WorkerDied(Incarnation worker);

  // The job goes on from a snapshot that was made under this plan: see ContinuePlan. Before any
  // proposal.
  void ContinueFrom(const TrainingPlan& snapshot) { snapshot_ = snapshot; }

  // Takes the serialised plan, checks it and keeps it. The same proposal again is fine; another one
  // than the first is refused.
  Status Propose(const Node& worker, const Buffer& bytes);

  // Takes a serialised plan that extends the one there is (plan_extension.h) and keeps it for
  // FinishExtension. kFailedPrecondition also while another extension is under way.
  Status Extend(const Buffer& bytes);
  // Whether that plan, or one made from the same job file, is there or on its way already.
  bool Has(const Buffer& bytes) const;
  // Lanes are to be built for another plan than the one that is trained by.
  bool is_extending() const { return extended_ != nullptr; }
  const TrainingPlan& next_plan() const { return is_extending() ? *extended_ : *plan_; }
  // Lanes serve the extended plan: it is the plan now.
  void FinishExtension();

  // Whether a worker runs the job that the plan was made from, before or after an extension; an
  // error that names it otherwise.
  Status CheckJob(const Node& worker) const;

  bool has_plan() const { return plan_ != nullptr; }
  const TrainingPlan& plan() const { return *plan_; }
  std::shared_ptr<const TrainingPlan> shared_plan() const { return plan_; }
  const Buffer& bytes() const { return bytes_; }

 private:
  Incarnation proposer_ = 0;
  std::optional<TrainingPlan> snapshot_;
  Buffer proposal_;  // as it came
  std::shared_ptr<const TrainingPlan> plan_;
  Buffer bytes_;                                  // of plan_
  std::shared_ptr<const TrainingPlan> extended_;  // null: the job is not being extended
};

}  // namespace antiphon
