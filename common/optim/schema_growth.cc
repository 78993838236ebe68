#include "common/optim/schema_growth.h"

#include <string>

#include <google/protobuf/util/message_differencer.h>

#include "common/optim/loss_balance.h"

namespace antiphon {
namespace {

using google::protobuf::Message;
using google::protobuf::util::MessageDifferencer;

// "modified: dim: 8 -> 16"; empty when the messages are equal.
std::string FirstDifference(const Message& before, const Message& after) {
  std::string report;
  MessageDifferencer differencer;
  differencer.ReportDifferencesToString(&report);
  differencer.Compare(before, after);
  return report.substr(0, report.find('\n'));
}

// What is no list of tables or blocks.
ParameterSchema Constants(const ParameterSchema& schema) {
  ParameterSchema constants;
  constants.set_seed(schema.seed());
  constants.set_shard_count(schema.shard_count());
  constants.set_chunk_floats(schema.chunk_floats());
  return constants;
}

Status CheckBlockGrows(const BlockSpec& before, const BlockSpec& after) {
  const std::string what = "dense block '" + before.name() + "'";
  if (!before.has_loss_balance() || !CanGoOn(before.loss_balance(), after.loss_balance())) {
    return CheckSame(what, before, after);
  }
  BlockSpec narrowed = after;
  narrowed.set_cols(before.cols());
  LossBalance& balance = *narrowed.mutable_loss_balance();
  balance.mutable_tasks()->DeleteSubrange(
      before.loss_balance().tasks_size(),
      balance.tasks_size() - before.loss_balance().tasks_size());
  const int known = before.loss_balance().initial_loss_size();
  if (balance.initial_loss_size() > known) {
    balance.mutable_initial_loss()->Truncate(known);
  }
  return CheckSame(what, before, narrowed);
}

}  // namespace

Status CheckSame(const std::string& what, const Message& before, const Message& after) {
  const std::string difference = FirstDifference(before, after);
  if (difference.empty()) {
    return Status();
  }
  return FailedPreconditionError(what + " would be another one: " + difference);
}

Status CheckGrows(const ParameterSchema& before, const ParameterSchema& after) {
  AP_RETURN_IF_ERROR(CheckSame("the schema", Constants(before), Constants(after)));
  for (int i = 0; i < before.tables_size(); ++i) {
    const std::string what = "table '" + before.tables(i).name() + "'";
    if (i >= after.tables_size()) {
      return FailedPreconditionError(what + " would be gone");
    }
    AP_RETURN_IF_ERROR(CheckSame(what, before.tables(i), after.tables(i)));
  }
  for (int i = 0; i < before.blocks_size(); ++i) {
    if (i >= after.blocks_size()) {
      return FailedPreconditionError("dense block '" + before.blocks(i).name() + "' would be gone");
    }
    AP_RETURN_IF_ERROR(CheckBlockGrows(before.blocks(i), after.blocks(i)));
  }
  return Status();
}

}  // namespace antiphon
