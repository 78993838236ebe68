// What a training run reached, beside what could be reached: the report of `ps_train --report` and
// the truth.json of the simulated platform that it was trained on, task by task and scene by scene.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"

namespace antiphon {

inline constexpr std::string_view kAllScenes = "total";

struct ComparisonRow {
  std::string task;
  std::string scene;  // or kAllScenes
  int64_t train_samples = 0;
  int64_t eval_samples = 0;
  int64_t eval_positives = 0;
  std::optional<double> auc;  // nothing where the held-out samples are all of one class
  std::optional<double> bayes_auc;

  // (auc - 1/2) / (bayes_auc - 1/2): 0 is a coin, 1 is all that can be known.
  std::optional<double> Share() const;
};

// Reads both JSON texts. Fails when one is not what it should be, and names the path in it: tasks
// that the report does not have are left out, one that it has must have every scene of the truth,
// on the same number of samples if it says so.
StatusOr<std::vector<ComparisonRow>> CompareWithTruth(std::string_view report_json,
                                                      std::string_view truth_json);

// The rows as an aligned table for people, one line each, with a heading.
std::string ComparisonTable(const std::vector<ComparisonRow>& rows);

// One sentence for each scene with more than `min_train_samples` in which the click's share is
// below `required_share` or unknown; empty when all is well.
std::vector<std::string> MissedClickShares(const std::vector<ComparisonRow>& rows,
                                           double required_share, int64_t min_train_samples);

}  // namespace antiphon
