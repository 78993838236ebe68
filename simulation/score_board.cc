#include "simulation/score_board.h"

#include <cmath>
#include <utility>

namespace antiphon {
namespace {

TruthScore Score(std::vector<ChanceAndLabel> rows) {
  TruthScore score;
  score.samples = static_cast<int64_t>(rows.size());
  double loss = 0;
  for (const ChanceAndLabel& row : rows) {
    score.positives += row.label ? 1 : 0;
    loss -= std::log(row.label ? row.chance : 1 - row.chance);
  }
  score.log_loss = rows.empty() ? 0 : loss / static_cast<double>(rows.size());
  score.auc = AucOfLabels(rows);
  score.expected_auc = ExpectedAuc(rows);
  return score;
}

}  // namespace

void ScoreBoard::Add(const Impression& impression) {
  for (const Task task : kTasks) {
    const auto t = static_cast<size_t>(task);
    rows_[static_cast<size_t>(impression.showing.scene)][t].push_back(
        {.chance = impression.chances.Of(task), .label = impression.labels[t]});
  }
}

TruthScore ScoreBoard::ScoreOf(Task task) const {
  std::vector<ChanceAndLabel> all;
  for (const auto& scene : rows_) {
    const std::vector<ChanceAndLabel>& rows = scene[static_cast<size_t>(task)];
    all.insert(all.end(), rows.begin(), rows.end());
  }
  return Score(std::move(all));
}

TruthScore ScoreBoard::ScoreOf(Task task, Scene scene) const {
  return Score(rows_[static_cast<size_t>(scene)][static_cast<size_t>(task)]);
}

}  // namespace antiphon
