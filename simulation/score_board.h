// ScoreBoard: what the truth itself scores on a set of impressions, per task and scene.
//
// Owned by one thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "simulation/auc.h"
#include "simulation/impression.h"

namespace antiphon {

struct TruthScore {
  int64_t samples = 0;
  int64_t positives = 0;
  std::optional<double> auc;           // of the labels that were drawn: Bayes AUC
  std::optional<double> expected_auc;  // over all labels that might have been drawn
  double log_loss = 0;                 // nats a sample; 0 without samples
};

class ScoreBoard {
 public:
  void Add(const Impression& impression);

  TruthScore ScoreOf(Task task) const;
  TruthScore ScoreOf(Task task, Scene scene) const;

 private:
  std::array<std::array<std::vector<ChanceAndLabel>, kTaskCount>, kSceneCount> rows_;
};

}  // namespace antiphon
