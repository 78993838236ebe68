#include "simulation/auc.h"

#include <algorithm>

namespace antiphon {

// A pair of a row with itself is neither right nor wrong and is left out, as it is for labels.
std::optional<double> AucOfWeights(std::vector<WeightedScore>& rows) {
  std::sort(rows.begin(), rows.end(),
            [](const WeightedScore& a, const WeightedScore& b) { return a.score < b.score; });
  double right_pairs = 0;
  double own_pairs = 0;
  WeightedScore below;  // the weights of rows with a smaller score
  for (size_t begin = 0; begin < rows.size();) {
    WeightedScore tied;
    size_t end = begin;
    for (; end < rows.size() && rows[end].score == rows[begin].score; ++end) {
      tied.positive += rows[end].positive;
      tied.negative += rows[end].negative;
      own_pairs += rows[end].positive * rows[end].negative;
    }
    right_pairs += tied.positive * (below.negative + tied.negative / 2);
    below.positive += tied.positive;
    below.negative += tied.negative;
    begin = end;
  }
  const double pairs = below.positive * below.negative - own_pairs;
  if (pairs <= 0) {
    return std::nullopt;
  }
  return (right_pairs - own_pairs / 2) / pairs;
}

std::optional<double> AucOfLabels(const std::vector<ChanceAndLabel>& rows) {
  std::vector<WeightedScore> weighted;
  weighted.reserve(rows.size());
  for (const ChanceAndLabel& row : rows) {
    weighted.push_back({.score = row.chance,
                        .positive = row.label ? 1.0 : 0.0,
                        .negative = row.label ? 0.0 : 1.0});
  }
  return AucOfWeights(weighted);
}

std::optional<double> ExpectedAuc(const std::vector<ChanceAndLabel>& rows) {
  std::vector<WeightedScore> weighted;
  weighted.reserve(rows.size());
  for (const ChanceAndLabel& row : rows) {
    weighted.push_back({.score = row.chance, .positive = row.chance, .negative = 1 - row.chance});
  }
  return AucOfWeights(weighted);
}

}  // namespace antiphon
