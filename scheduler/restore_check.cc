#include "scheduler/restore_check.h"

#include <string>

#include <google/protobuf/util/message_differencer.h>

#include "common/optim/loss_balance.h"

namespace antiphon {
namespace {

using google::protobuf::util::MessageDifferencer;

Status Differs(const std::string& what, const std::string& snapshot, const std::string& planned) {
  return FailedPreconditionError("the snapshot does not fit the job: " + what + " is " + snapshot +
                                 " in the snapshot and " + planned +
                                 " in the job; restore with the job file that made it");
}

Status CheckNumber(const std::string& what, uint64_t snapshot, uint64_t planned) {
  if (snapshot == planned) {
    return Status();
  }
  return Differs(what, std::to_string(snapshot), std::to_string(planned));
}

// What an optimizer keeps with a row depends on everything but its rate, which may change.
bool SameButForRate(const OptimizerConfig& left, const OptimizerConfig& right) {
  MessageDifferencer differencer;
  const google::protobuf::Descriptor* all = OptimizerConfig::descriptor();
  for (int i = 0; i < all->field_count(); ++i) {
    const google::protobuf::Descriptor* one = all->field(i)->message_type();
    if (one != nullptr && one->FindFieldByName("learning_rate") != nullptr) {
      differencer.IgnoreField(one->FindFieldByName("learning_rate"));
    }
  }
  return differencer.Compare(left, right);
}

Status CheckOptimizer(const std::string& what, const OptimizerConfig& snapshot,
                      const OptimizerConfig& planned) {
  if (SameButForRate(snapshot, planned)) {
    return Status();
  }
  return Differs(what + "'s optimizer", "{ " + snapshot.ShortDebugString() + " }",
                 "{ " + planned.ShortDebugString() + " }");
}

Status IsGone(const std::string& what, const std::string& hint) {
  return FailedPreconditionError("the snapshot does not fit the job: " + what +
                                 " is in the snapshot and not in the job; " + hint);
}

Status CheckTable(int index, const TableSpec& snapshot, const TableSpec& planned) {
  if (snapshot.name() != planned.name()) {
    return FailedPreconditionError(
        "the snapshot does not fit the job: table " + std::to_string(index) + " is " +
        snapshot.name() + " in the snapshot and " + planned.name() +
        " in the job; features that are new stand behind the others in feature_config");
  }
  const std::string what = "table " + planned.name();
  AP_RETURN_IF_ERROR(CheckNumber(what + "'s dim", snapshot.dim(), planned.dim()));
  AP_RETURN_IF_ERROR(CheckNumber(what + "'s number of row segments",
                                 static_cast<uint64_t>(snapshot.segments_size()),
                                 static_cast<uint64_t>(planned.segments_size())));
  for (int i = 0; i < planned.segments_size(); ++i) {
    const RowSegment& theirs = snapshot.segments(i);
    const RowSegment& ours = planned.segments(i);
    const std::string segment = what + "'s row segment " + std::to_string(i);
    AP_RETURN_IF_ERROR(CheckNumber(segment + "'s dim", theirs.dim(), ours.dim()));
    AP_RETURN_IF_ERROR(CheckOptimizer(segment, theirs.optimizer(), ours.optimizer()));
  }
  return CheckOptimizer(what, snapshot.optimizer(), planned.optimizer());
}

std::string RuleName(const LossBalance& balance) {
  return balance.has_grad_norm() ? "GradNorm" : balance.has_dwa() ? "DWA" : "none";
}

Status CheckBlock(const BlockSpec& snapshot, const BlockSpec& planned) {
  const std::string what = "dense block " + planned.name();
  if (snapshot.loss_balance().rule_case() != planned.loss_balance().rule_case()) {
    return Differs("loss_weight_strategy", RuleName(snapshot.loss_balance()),
                   RuleName(planned.loss_balance()));
  }
  AP_RETURN_IF_ERROR(CheckNumber(what + "'s rows", snapshot.rows(), planned.rows()));
  if (!CanGoOn(snapshot.loss_balance(), planned.loss_balance())) {
    AP_RETURN_IF_ERROR(CheckNumber(what + "'s cols", snapshot.cols(), planned.cols()));
  }
  return CheckOptimizer(what, snapshot.optimizer(), planned.optimizer());
}

}  // namespace

Status CheckSchemasFit(const ParameterSchema& snapshot, const ParameterSchema& planned) {
  AP_RETURN_IF_ERROR(
      CheckNumber("the number of shards", snapshot.shard_count(), planned.shard_count()));
  AP_RETURN_IF_ERROR(CheckNumber("chunk_floats", snapshot.chunk_floats(), planned.chunk_floats()));
  for (int i = 0; i < snapshot.tables_size(); ++i) {
    if (i == planned.tables_size()) {
      return IsGone("table " + snapshot.tables(i).name(), "no feature may be taken away");
    }
    AP_RETURN_IF_ERROR(CheckTable(i, snapshot.tables(i), planned.tables(i)));
  }
  // ContinuePlan has put the snapshot's blocks in front.
  for (int i = 0; i < snapshot.blocks_size(); ++i) {
    const std::string& name = snapshot.blocks(i).name();
    if (i >= planned.blocks_size() || planned.blocks(i).name() != name) {
      return IsGone("dense block " + name, "scenes and tasks may be added and not taken away");
    }
    AP_RETURN_IF_ERROR(CheckBlock(snapshot.blocks(i), planned.blocks(i)));
  }
  return Status();
}

bool SamePartitions(const TrainingPlan& left, const TrainingPlan& right) {
  if (left.partitions_size() > right.partitions_size()) {
    return false;
  }
  // A topic may have got more partitions.
  for (int i = left.partitions_size(); i < right.partitions_size(); ++i) {
    if (!right.partitions(i).open_ended()) {
      return false;
    }
  }
  for (int i = 0; i < left.partitions_size(); ++i) {
    if (!MessageDifferencer::Equals(left.partitions(i), right.partitions(i))) {
      return false;
    }
  }
  return true;
}

}  // namespace antiphon
