// The area under the ROC curve when the score is the true probability: the best that any model
// can reach, apart from luck.
#pragma once

#include <optional>
#include <vector>

namespace antiphon {

struct ChanceAndLabel {
  double chance = 0;
  bool label = false;
};

// The share of pairs of a positive and a negative in which the positive has the larger chance,
// equal chances counting one half. Nothing when one of the classes is empty. Exact; sorts `rows`.
std::optional<double> AucOfLabels(std::vector<ChanceAndLabel>& rows);

// What AucOfLabels tends to when labels are drawn again and again: every row is a positive with
// weight `chance` and a negative with the rest. Labels are not read. Sorts `rows`.
std::optional<double> ExpectedAuc(std::vector<ChanceAndLabel>& rows);

}  // namespace antiphon
