// The area under the ROC curve: of the true probabilities, which is the best that any model can
// reach, apart from luck, and of scores against labels that are known by their probabilities only.
#pragma once

#include <optional>
#include <vector>

namespace antiphon {

struct ChanceAndLabel {
  double chance = 0;
  bool label = false;
};

// The share of pairs of a positive and a negative in which the positive has the larger chance,
// equal chances counting one half. Nothing when one of the classes is empty. Exact.
std::optional<double> AucOfLabels(const std::vector<ChanceAndLabel>& rows);

// What AucOfLabels tends to when labels are drawn again and again: every row is a positive with
// weight `chance` and a negative with the rest. Labels are not read.
std::optional<double> ExpectedAuc(const std::vector<ChanceAndLabel>& rows);

// A row that is a positive with one weight and a negative with another, at most one of them when
// labels are drawn.
struct WeightedScore {
  double score = 0;
  double positive = 0;
  double negative = 0;
};

// The same for any score. Sorts `rows`.
std::optional<double> AucOfWeights(std::vector<WeightedScore>& rows);

}  // namespace antiphon
