#include "scheduler/plan_desk.h"

#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

#include "scheduler/plan_continuation.h"
#include "scheduler/plan_extension.h"

namespace antiphon {
namespace {

// The shard map travels in the head of a message (common/wire/frame.h), which is small.
constexpr uint32_t kMaxShards = 1 << 16;
constexpr int kMaxTasks = 1024;
constexpr int kMaxScenes = 65536;

std::string Hex(uint64_t value) {
  char text[24];
  std::snprintf(text, sizeof(text), "%016llx", static_cast<unsigned long long>(value));
  return text;
}

Status PartitionError(int index, const std::string& what) {
  return InvalidArgumentError("plan, partition " + std::to_string(index) + ": " + what);
}

Status CheckPartitions(const TrainingPlan& plan) {
  if (plan.partitions_size() == 0) {
    return InvalidArgumentError("the plan has no partitions: nothing to train or evaluate");
  }
  for (int i = 0; i < plan.partitions_size(); ++i) {
    const Partition& partition = plan.partitions(i);
    if (partition.open_ended() && partition.kind() != Partition::TRAIN) {
      return PartitionError(i, "is an evaluation without an end");
    }
    if (!partition.open_ended() && partition.begin_record() > partition.end_record()) {
      return PartitionError(i, "begin_record " + std::to_string(partition.begin_record()) +
                                   " is after end_record " +
                                   std::to_string(partition.end_record()));
    }
    if (i == 0) {
      continue;
    }
    const Partition& before = plan.partitions(i - 1);
    if (partition.stage() < before.stage()) {
      return PartitionError(i, "stage " + std::to_string(partition.stage()) +
                                   " comes after stage " + std::to_string(before.stage()) +
                                   ", expected stages that never decrease");
    }
    if (partition.stage() == before.stage() &&
        (partition.kind() != before.kind() || partition.epoch() != before.epoch())) {
      return PartitionError(i, "stage " + std::to_string(partition.stage()) +
                                   " holds partitions of two kinds or epochs, expected one");
    }
  }
  return Status();
}

// What is watched exists.
Status CheckWatch(const TrainingPlan& plan) {
  const auto known = [&plan](const std::string& task) {
    return std::find(plan.tasks().begin(), plan.tasks().end(), task) != plan.tasks().end();
  };
  for (const DriftAlarm& alarm : plan.watch().drift()) {
    if (!known(alarm.tower_name())) {
      return InvalidArgumentError("the plan watches task '" + alarm.tower_name() +
                                  "', which it does not have");
    }
  }
  for (const Promotion& gate : plan.promotion()) {
    if (!known(gate.tower_name())) {
      return InvalidArgumentError("the plan has a condition for task '" + gate.tower_name() +
                                  "', which it does not have");
    }
  }
  if (plan.watch().half_life_samples() == 0 || plan.watch().keep_windows() == 0) {
    return InvalidArgumentError("the plan's watch has a half life or a number of windows of 0");
  }
  return Status();
}

}  // namespace

Status CheckPlan(const TrainingPlan& plan) {
  const ParameterSchema& schema = plan.schema();
  if (schema.shard_count() < 1 || schema.shard_count() > kMaxShards) {
    return InvalidArgumentError("the plan has " + std::to_string(schema.shard_count()) +
                                " shards, expected 1 to " + std::to_string(kMaxShards));
  }
  if (schema.tables_size() == 0 && schema.blocks_size() == 0) {
    return InvalidArgumentError("the plan has neither tables nor dense blocks");
  }
  if (schema.blocks_size() > 0 && schema.chunk_floats() == 0) {
    return InvalidArgumentError("the plan has dense blocks in chunks of 0 floats");
  }
  if (plan.tasks_size() < 1 || plan.tasks_size() > kMaxTasks) {
    return InvalidArgumentError("the plan has " + std::to_string(plan.tasks_size()) +
                                " tasks, expected 1 to " + std::to_string(kMaxTasks));
  }
  if (plan.scenes_size() > kMaxScenes) {
    return InvalidArgumentError("the plan has " + std::to_string(plan.scenes_size()) +
                                " scenes, expected at most " + std::to_string(kMaxScenes));
  }
  AP_RETURN_IF_ERROR(CheckWatch(plan));
  return CheckPartitions(plan);
}

bool PlanDesk::MayPropose(Incarnation worker) {
  if (has_plan()) {
    return false;
  }
  if (proposer_ == 0) {
    proposer_ = worker;
  }
  return proposer_ == worker;
}

void PlanDesk::WorkerDied(Incarnation worker) {
  if (proposer_ == worker) {
    proposer_ = 0;
  }
}

Status PlanDesk::Propose(const Node& worker, const Buffer& bytes) {
  if (has_plan()) {
    if (bytes.text() == proposal_.text()) {
      return Status();
    }
    return FailedPreconditionError("the job has a plan already; " + worker.Name() +
                                   " was not asked for another");
  }
  auto plan = std::make_shared<TrainingPlan>();
  if (!plan->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return InvalidArgumentError("the plan of " + worker.Name() + " cannot be parsed (" +
                                std::to_string(bytes.size()) + " bytes)");
  }
  AP_RETURN_IF_ERROR(CheckPlan(*plan).WithContext(worker.Name()));
  if (plan->job_digest() != worker.job_digest) {
    return InvalidArgumentError(worker.Name() + " registered with job digest " +
                                Hex(worker.job_digest) + " but its plan is for " +
                                Hex(plan->job_digest()));
  }
  if (snapshot_.has_value()) {
    *plan = ContinuePlan(*snapshot_, std::move(*plan));
  }
  plan_ = std::move(plan);
  // A copy: the message's memory belongs to the transport and would be held for the whole job.
  proposal_ = Buffer::Copy(bytes.bytes());
  bytes_ = snapshot_.has_value() ? Buffer::Copy(std::string_view(plan_->SerializeAsString()))
                                 : proposal_;
  return Status();
}

Status PlanDesk::Extend(const Buffer& bytes) {
  if (!has_plan()) {
    return FailedPreconditionError("there is no plan yet that could be extended");
  }
  auto extended = std::make_shared<TrainingPlan>();
  if (!extended->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return InvalidArgumentError("the extended plan cannot be parsed (" +
                                std::to_string(bytes.size()) + " bytes)");
  }
  if (is_extending()) {
    return FailedPreconditionError("the job is being extended already; ask again when it has been");
  }
  *extended = ContinuePlan(*plan_, std::move(*extended));
  *extended->mutable_earlier_job_digests() = plan_->earlier_job_digests();
  extended->add_earlier_job_digests(plan_->job_digest());
  AP_RETURN_IF_ERROR(CheckExtension(*plan_, *extended).WithContext("extend the job"));
  extended_ = std::move(extended);
  return Status();
}

bool PlanDesk::Has(const Buffer& bytes) const {
  TrainingPlan plan;
  return has_plan() && plan.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) &&
         plan.job_digest() == next_plan().job_digest();
}

void PlanDesk::FinishExtension() {
  plan_ = std::exchange(extended_, nullptr);
  bytes_ = Buffer::Copy(std::string_view(plan_->SerializeAsString()));
}

Status PlanDesk::CheckJob(const Node& worker) const {
  if (!has_plan()) {
    return Status();
  }
  const auto& earlier = next_plan().earlier_job_digests();
  if (worker.job_digest == next_plan().job_digest() ||
      std::ranges::find(earlier, worker.job_digest) != earlier.end()) {
    return Status();
  }
  return FailedPreconditionError(worker.Name() + " runs another job file: its digest is " +
                                 Hex(worker.job_digest) + ", the plan of this cluster has " +
                                 Hex(plan_->job_digest()) +
                                 "; give every worker the same --job and --set");
}

}  // namespace antiphon
