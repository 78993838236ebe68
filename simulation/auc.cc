#include "simulation/auc.h"

#include <algorithm>

namespace antiphon {
namespace {

// How much of a row is positive, how much negative.
struct Classes {
  double positive = 0;
  double negative = 0;
};

// A pair of a row with itself is neither right nor wrong and is left out, as it is for labels.
template <typename ClassesOf>
std::optional<double> AreaOver(std::vector<ChanceAndLabel>& rows, ClassesOf classes_of) {
  std::sort(rows.begin(), rows.end(),
            [](const ChanceAndLabel& a, const ChanceAndLabel& b) { return a.chance < b.chance; });
  double right_pairs = 0;
  double own_pairs = 0;
  Classes below;  // rows with a smaller chance
  for (size_t begin = 0; begin < rows.size();) {
    Classes tied;
    size_t end = begin;
    for (; end < rows.size() && rows[end].chance == rows[begin].chance; ++end) {
      const Classes row = classes_of(rows[end]);
      tied.positive += row.positive;
      tied.negative += row.negative;
      own_pairs += row.positive * row.negative;
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

}  // namespace

std::optional<double> AucOfLabels(std::vector<ChanceAndLabel>& rows) {
  return AreaOver(rows, [](const ChanceAndLabel& row) {
    return Classes{.positive = row.label ? 1.0 : 0.0, .negative = row.label ? 0.0 : 1.0};
  });
}

std::optional<double> ExpectedAuc(std::vector<ChanceAndLabel>& rows) {
  return AreaOver(rows, [](const ChanceAndLabel& row) {
    return Classes{.positive = row.chance, .negative = 1 - row.chance};
  });
}

}  // namespace antiphon
