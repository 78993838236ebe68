#include "join/join_rules.h"

#include <algorithm>

namespace antiphon {
namespace {

constexpr int64_t kSecondMs = 1000;

Status Wrong(size_t index, const std::string& what) {
  return InvalidArgumentError("join.feedback[" + std::to_string(index) + "]." + what);
}

// Fills what a rule takes from its own message; `rules` has those before it.
StatusOr<FeedbackRule> MakeRule(const Feedback& feedback, size_t index, const JoinRules& rules) {
  FeedbackRule rule;
  rule.kind = feedback.kind();
  rule.window_ms = feedback.window_seconds() * kSecondMs;
  rule.value = feedback.value();
  if (rule.kind.empty()) {
    return Wrong(index, "kind: is missing; name the kind of the events that it counts");
  }
  if (rules.Find(rule.kind).has_value()) {
    return Wrong(index, "kind: " + rule.kind + " is listed twice");
  }
  if (rule.window_ms == 0) {
    return Wrong(index, "window_seconds: is missing; say how long after an impression " +
                            rule.kind + " counts");
  }
  if (feedback.has_given()) {
    rule.given = rules.Find(feedback.given());
    if (!rule.given.has_value()) {
      return Wrong(index, "given: " + feedback.given() + " is not the kind of an entry before it");
    }
    if (rules.feedback[*rule.given].value != Feedback::HAPPENED) {
      return Wrong(index,
                   "given: " + feedback.given() + " is a number, expected one that HAPPENED");
    }
  }
  const bool has_helpers = feedback.has_late_field() || feedback.has_never_field();
  if (has_helpers && rule.value != Feedback::HAPPENED) {
    return Wrong(index, "late_field: is for a label that HAPPENED; leave it and never_field out");
  }
  return rule;
}

// Adds a column, which must have a name of its own.
StatusOr<size_t> AddColumn(const std::string& name, const std::string& path, JoinRules& rules) {
  if (name.empty()) {
    return InvalidArgumentError(path + ": is empty");
  }
  const auto same = std::find(rules.columns.begin(), rules.columns.end(), name);
  if (same != rules.columns.end()) {
    return InvalidArgumentError(path + ": two labels have the name " + name);
  }
  rules.columns.push_back(name);
  return rules.columns.size() - 1;
}

Status AddColumns(const Feedback& feedback, size_t index, FeedbackRule& rule, JoinRules& rules) {
  const std::string path = "join.feedback[" + std::to_string(index) + "].";
  const std::string& label = feedback.has_label_field() ? feedback.label_field() : rule.kind;
  AP_ASSIGN_OR_RETURN(rule.label_column, AddColumn(label, path + "label_field", rules));
  if (feedback.has_late_field()) {
    AP_ASSIGN_OR_RETURN(rule.late_column,
                        AddColumn(feedback.late_field(), path + "late_field", rules));
  }
  if (feedback.has_never_field()) {
    AP_ASSIGN_OR_RETURN(rule.never_column,
                        AddColumn(feedback.never_field(), path + "never_field", rules));
  }
  return Status();
}

Status SetWait(const JoinConfig& config, JoinRules& rules) {
  const bool is_early = config.emit() == JoinConfig::EARLY;
  if (config.has_early_seconds() != is_early) {
    return InvalidArgumentError(is_early ? "join.early_seconds: is missing; emit: EARLY needs it"
                                         : "join.early_seconds: is read with emit: EARLY only");
  }
  switch (config.emit()) {
    case JoinConfig::WHEN_CLOSED:
      rules.wait_ms = rules.open_ms;
      break;
    case JoinConfig::AT_ONCE:
      rules.wait_ms = 0;
      break;
    case JoinConfig::EARLY:
      rules.wait_ms = config.early_seconds() * kSecondMs;
      break;
  }
  if (rules.wait_ms > rules.open_ms) {
    return InvalidArgumentError("join.early_seconds: is " + std::to_string(config.early_seconds()) +
                                ", longer than every window; emit: WHEN_CLOSED says the same");
  }
  return Status();
}

}  // namespace

std::optional<size_t> JoinRules::Find(std::string_view kind) const {
  for (size_t i = 0; i < feedback.size(); ++i) {
    if (feedback[i].kind == kind) {
      return i;
    }
  }
  return std::nullopt;
}

StatusOr<JoinRules> MakeJoinRules(const JoinConfig& config) {
  JoinRules rules;
  if (config.feedback().empty()) {
    return InvalidArgumentError("join.feedback: is missing; name the kinds that become labels");
  }
  for (const Feedback& feedback : config.feedback()) {
    const size_t index = rules.feedback.size();
    AP_ASSIGN_OR_RETURN(FeedbackRule rule, MakeRule(feedback, index, rules));
    if (rule.kind == config.impression_kind()) {
      return Wrong(index, "kind: " + rule.kind + " is the impression_kind");
    }
    AP_RETURN_IF_ERROR(AddColumns(feedback, index, rule, rules));
    rules.open_ms = std::max(rules.open_ms, rule.window_ms);
    rules.feedback.push_back(std::move(rule));
  }
  AP_RETURN_IF_ERROR(SetWait(config, rules));
  rules.out_of_order_ms = config.out_of_order_seconds() * kSecondMs;
  rules.idle_partition_ms = config.idle_partition_seconds() * kSecondMs;
  return rules;
}

}  // namespace antiphon
