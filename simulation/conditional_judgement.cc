#include "simulation/conditional_judgement.h"

#include <limits>
#include <vector>

#include "common/base/text.h"
#include "common/base/text_table.h"
#include "simulation/auc.h"
#include "simulation/sample_set.h"
#include "simulation/scored_lines.h"

namespace antiphon {
namespace {

// The rows of one question, with the model's score and with the truth's.
struct Question {
  std::vector<WeightedScore> scored;
  std::vector<WeightedScore> known;

  // An impression that counts `weight`.
  void Add(double score, double chance, double weight) {
    const double positive = weight * chance;
    const double negative = weight - positive;
    scored.push_back({.score = score, .positive = positive, .negative = negative});
    known.push_back({.score = chance, .positive = positive, .negative = negative});
  }
  ConditionalWorth Answer() { return {.auc = AucOfWeights(scored), .best = AucOfWeights(known)}; }
};

StatusOr<double> NextScore(ScoredLines& lines) {
  AP_ASSIGN_OR_RETURN(const std::vector<std::string_view>* values, lines.Next());
  const std::optional<double> score = ParseFloat(values->front());
  if (!score.has_value()) {
    return lines.Error("the score has to be a number, got \"" + std::string(values->front()) +
                       "\"");
  }
  return *score;
}

}  // namespace

StatusOr<ConditionalJudgement> JudgeConditional(const Platform& platform, int64_t samples,
                                                std::string_view scores, const std::string& column,
                                                Task task) {
  if (task == Task::kClick) {
    return InvalidArgumentError(
        "a click is not given a click, expected a task that comes after it");
  }
  AP_ASSIGN_OR_RETURN(ScoredLines lines, ScoredLines::Create(scores, "eval.csv", {column}));
  Question all;
  Question clicked;
  Status status;
  ForEachHeldOut(platform, samples, [&](const Impression& impression) {
    if (!status.ok()) {
      return;
    }
    const StatusOr<double> score = NextScore(lines);
    if (!score.ok()) {
      status = score.status();
      return;
    }
    const double chance = impression.chances.after_click.at(static_cast<size_t>(task));
    all.Add(*score, chance, 1);
    clicked.Add(*score, chance, impression.chances.click);
  });
  AP_RETURN_IF_ERROR(status);
  AP_RETURN_IF_ERROR(lines.ExpectEnd());
  return ConditionalJudgement{
      .samples = samples, .of_all = all.Answer(), .of_clicked = clicked.Answer()};
}

std::string ConditionalTable(const ConditionalJudgement& judgement) {
  static constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();
  static constexpr double kCoin = 0.5;
  TextTable table({"GIVEN_A_CLICK_OVER", "AUC", "BEST", "SHARE_%"}, 1);
  const auto add = [&table](const char* name, const ConditionalWorth& worth) {
    const double auc = worth.auc.value_or(kNothing);
    const double best = worth.best.value_or(kNothing);
    table.AddRow({name, FormatFixed(auc, 4), FormatFixed(best, 4),
                  FormatFixed(100 * (auc - kCoin) / (best - kCoin), 1)});
  };
  add("impressions", judgement.of_all);
  add("clicks", judgement.of_clicked);
  return table.ToString();
}

}  // namespace antiphon
