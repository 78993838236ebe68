// JoinRules: a JoinConfig as the joiner computes with it, and the columns that it gives a sample.
//
// A frozen value. Times are milliseconds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "proto/join.pb.h"

namespace antiphon {

// What one kind of feedback becomes.
struct FeedbackRule {
  std::string kind;
  int64_t window_ms = 0;
  Feedback::Value value = Feedback::HAPPENED;
  std::optional<size_t> given;  // the rule whose label must be 1, one before this
  // Columns of the sample.
  size_t label_column = 0;
  std::optional<size_t> late_column;
  std::optional<size_t> never_column;
};

struct JoinRules {
  std::vector<FeedbackRule> feedback;
  std::vector<std::string> columns;  // the names of a sample's labels, in order
  int64_t wait_ms = 0;               // from an impression to its first sample
  int64_t open_ms = 0;               // from an impression to the end of its last window
  int64_t out_of_order_ms = 0;
  int64_t idle_partition_ms = 0;

  // The rule of a kind of feedback, or nothing.
  std::optional<size_t> Find(std::string_view kind) const;
};

// kInvalidArgument names the field of the configuration and what it should be.
StatusOr<JoinRules> MakeJoinRules(const JoinConfig& config);

}  // namespace antiphon
