#include "scoring/held_scorer.h"

#include <utility>

namespace antiphon {

StatusOr<std::unique_ptr<HeldScorer>> HeldScorer::Create(std::shared_ptr<const TrainedModel> model,
                                                         const Gemm& gemm) {
  AP_ASSIGN_OR_RETURN(std::unique_ptr<Scorer> scorer, Scorer::Create(*model, gemm, 1));
  return std::unique_ptr<HeldScorer>(new HeldScorer(std::move(model), gemm, std::move(scorer)));
}

HeldScorer::HeldScorer(std::shared_ptr<const TrainedModel> model, const Gemm& gemm,
                       std::unique_ptr<Scorer> scorer)
    : gemm_(gemm), model_(std::move(model)), scorer_(std::move(scorer)) {}

Status HeldScorer::Use(const std::shared_ptr<const TrainedModel>& model) {
  if (model == model_) {
    return Status();
  }
  if (!scorer_->Use(*model)) {
    AP_ASSIGN_OR_RETURN(scorer_, Scorer::Create(*model, gemm_, 1));
  }
  model_ = model;
  return Status();
}

}  // namespace antiphon
