#include "models/fm_input.h"

#include <string>

#include "models/tape/column_ops.h"
#include "models/tape/linear_ops.h"
#include "models/tape/pair_ops.h"

namespace antiphon {

FmInput::FmInput(const Fm& config, const InputShape& input, size_t tasks, BlockList& blocks)
    : mode_(config.mode()), linear_(input.linear), fields_(input) {
  if (mode_ == Fm::KERNEL) {
    const uint32_t width = fields_.count() * fields_.dim();
    kernel_ = blocks.AddWeights("fm.kernel", width, fields_.dim(), fields_.count());
    kernel_scale_ = blocks.AddVector("fm.kernel_scale", fields_.count() * fields_.count(), 1);
  }
  for (size_t k = 0; mode_ == Fm::LOGIT && k < tasks; ++k) {
    scales_.push_back(blocks.AddVector("fm.scale." + std::to_string(k), 1, 1));
  }
}

InputShape FmInput::Inner(const InputShape& input) const {
  InputShape inner = input;
  inner.linear = 0;
  inner.width -= linear_;
  if (mode_ == Fm::BI_VECTOR) {
    inner.width += fields_.dim();
  }
  if (mode_ != Fm::LOGIT) {
    inner.width += linear_;
  }
  for (InputGroup& group : inner.groups) {
    group.begin -= linear_;
  }
  for (ColumnRange& field : inner.fields) {
    field.begin -= linear_;
  }
  for (InputScene& scene : inner.scenes) {
    scene.private_group.begin -= scene.private_group.width > 0 ? linear_ : 0;
  }
  return inner;
}

template <typename T>
Var<T> FmInput::Forward(const Pass<T>& pass, const Var<T>& input) const {
  const Var<T> w = SliceColumns(input, 0, linear_);
  const Var<T> e = SliceColumns(input, linear_, input.cols - linear_);
  if (mode_ == Fm::LOGIT) {
    return e;
  }
  const std::span<Var<T>> parts = pass.NewVars(3);
  if (mode_ == Fm::BI_VECTOR) {
    parts[0] = e;
    parts[1] = fields_.Products(pass, input);
    parts[2] = w;
    return ConcatColumns<T>(pass.tape, parts);
  }
  const Var<T> x = fields_.Embeddings(pass, input);
  const Var<T> kernel =
      ScaleBlocks(pass.tape, pass.block(kernel_), pass.block(kernel_scale_), fields_.count());
  const Var<T> mixed = Linear(pass.tape, x, kernel, Var<T>(), Activation::kLinear);
  parts[0] = fields_.Replace(pass, input, linear_, Multiply(pass.tape, x, mixed));
  parts[1] = w;
  return ConcatColumns<T>(pass.tape, parts.first(2));
}

template <typename T>
void FmInput::AddToLogits(const Pass<T>& pass, const Var<T>& input,
                          std::span<Var<T>> logits) const {
  if (mode_ != Fm::LOGIT) {
    return;
  }
  const Var<T> pairs = SumColumns(pass.tape, fields_.Products(pass, input));
  for (uint32_t k = 0; k < scales_.size(); ++k) {
    const Var<T> scaled =
        Linear(pass.tape, pairs, pass.block(scales_[k]), Var<T>(), Activation::kLinear);
    logits[k] = Add(pass.tape, logits[k], Add(pass.tape, scaled, SliceColumns(input, k, 1)));
  }
}

#define AP_INSTANTIATE(T)                                                \
  template Var<T> FmInput::Forward(const Pass<T>&, const Var<T>&) const; \
  template void FmInput::AddToLogits(const Pass<T>&, const Var<T>&, std::span<Var<T>>) const;
AP_INSTANTIATE(float)
AP_INSTANTIATE(double)
#undef AP_INSTANTIATE

}  // namespace antiphon
