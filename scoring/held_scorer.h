// HeldScorer: a Scorer and the model that it scores by, which stays until another takes its place.
//
// Owned by one thread.
#pragma once

#include <memory>

#include "common/base/status.h"
#include "common/math/gemm.h"
#include "models/trained_model.h"
#include "scoring/scorer.h"

namespace antiphon {

class HeldScorer {
 public:
  // `gemm` outlives the scorer. Errors as those of Scorer::Create.
  static StatusOr<std::unique_ptr<HeldScorer>> Create(std::shared_ptr<const TrainedModel> model,
                                                      const Gemm& gemm);

  // Goes on with `model`; rows that were added stay only where it has the plan of the one before,
  // and then nothing is allocated. Does nothing when it is that very model. After an error the
  // model before goes on.
  Status Use(const std::shared_ptr<const TrainedModel>& model);

  Scorer& scorer() { return *scorer_; }
  const TrainedModel& model() const { return *model_; }

 private:
  HeldScorer(std::shared_ptr<const TrainedModel> model, const Gemm& gemm,
             std::unique_ptr<Scorer> scorer);

  const Gemm& gemm_;
  std::shared_ptr<const TrainedModel> model_;
  std::unique_ptr<Scorer> scorer_;  // reads the model
};

}  // namespace antiphon
