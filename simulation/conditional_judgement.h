// How well a score orders impressions by what would follow a click, asked of all impressions.
//
// A log cannot tell: what was not clicked has no label, and a model that was trained on clicks is
// measured on clicks. The platform knows how likely a long watch is after a click that did not
// happen. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/status.h"
#include "simulation/platform.h"
#include "simulation/task.h"

namespace antiphon {

// Expected AUCs: over all labels that might have been drawn. Nothing where a class is missing.
struct ConditionalWorth {
  std::optional<double> auc;   // of the score
  std::optional<double> best;  // of the true probability given a click
};

struct ConditionalJudgement {
  int64_t samples = 0;
  ConditionalWorth of_all;      // every impression as if it had been clicked
  ConditionalWorth of_clicked;  // every impression as often as it is clicked
};

// `scores` is CSV with a header: a line for each of the `samples` lines of eval.csv, in its order,
// with the score in `column`. `task` is one that comes after a click. Errors name the line.
StatusOr<ConditionalJudgement> JudgeConditional(const Platform& platform, int64_t samples,
                                                std::string_view scores, const std::string& column,
                                                Task task);

// As an aligned table for people, with a heading.
std::string ConditionalTable(const ConditionalJudgement& judgement);

}  // namespace antiphon
