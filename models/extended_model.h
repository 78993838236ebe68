// ExtendedModel: a model that reads more than the features: what the job's triplet and fm make of
// them, in this order. It is that model in every other respect. Frozen.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "models/fm_input.h"
#include "models/model.h"
#include "models/triplet_input.h"

namespace antiphon {

template <typename T>
class ExtendedModel final : public Model<T> {
 public:
  // `inner` was made for the shape that comes out of the last of them.
  ExtendedModel(std::optional<TripletInput> triplet, std::optional<FmInput> fm,
                std::unique_ptr<Model<T>> inner)
      : triplet_(std::move(triplet)), fm_(std::move(fm)), inner_(std::move(inner)) {}

  RowGrouping grouping() const override { return inner_->grouping(); }
  size_t LogitCount(size_t tasks) const override { return inner_->LogitCount(tasks); }
  void Forward(const Pass<T>& pass, const Var<T>& input, std::span<Var<T>> logits) const override {
    const Var<T> x = triplet_.has_value() ? triplet_->Forward(pass, input) : input;
    inner_->Forward(pass, fm_.has_value() ? fm_->Forward(pass, x) : x, logits);
    if (fm_.has_value()) {
      fm_->AddToLogits(pass, x, logits);
    }
  }
  void Losses(Tape<T>& tape, std::span<const Var<T>> logits, std::span<const Target<T>> targets,
              std::span<const T> scales, std::span<double> sums) const override {
    inner_->Losses(tape, logits, targets, scales, sums);
  }
  Var<T> Predict(Tape<T>& tape, std::span<const Var<T>> logits, size_t k) const override {
    return inner_->Predict(tape, logits, k);
  }

 private:
  std::optional<TripletInput> triplet_;
  std::optional<FmInput> fm_;
  std::unique_ptr<Model<T>> inner_;
};

}  // namespace antiphon
