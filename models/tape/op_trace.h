// OpTrace: hears of every op of a forward pass, to write it down in another language.
//
// Each op tells the tape's trace, where there is one, what it made of what, after it has computed:
// the values are there to be read. The result comes first, the arguments follow in the op's order.
// Windows (SliceColumns, SliceRows, StopGradient) are not told of: they are places in matrices that
// were, and Var::value says where. Nor is what only training does. An op that is added to the tape
// gets a method here, so that no translation can overlook it.
#pragma once

#include <cstdint>
#include <span>

#include "models/tape/tape.h"

namespace antiphon {

struct FunnelStep;
template <typename T>
struct Moments;
struct Segments;

template <typename T>
class OpTrace {
 public:
  virtual ~OpTrace() = default;

  // Also Linear, with count 1.
  virtual void StackedLinear(const Var<T>& y, const Var<T>& x, const Var<T>& weight,
                             const Var<T>& bias, uint32_t count, Activation activation) = 0;
  virtual void LayerNorm(const Var<T>& y, const Var<T>& x, const Var<T>& gamma, const Var<T>& beta,
                         uint32_t count) = 0;
  // `moments` are not null: those that it normalised with.
  virtual void NormalizeColumns(const Var<T>& y, const Var<T>& x, const Var<T>& gamma,
                                const Var<T>& beta, const Moments<T>& moments) = 0;

  virtual void Activate(const Var<T>& y, const Var<T>& x, Activation activation) = 0;
  virtual void PRelu(const Var<T>& y, const Var<T>& x, const Var<T>& alpha) = 0;
  virtual void Softmax(const Var<T>& y, const Var<T>& x) = 0;
  virtual void Add(const Var<T>& z, const Var<T>& x, const Var<T>& y) = 0;
  virtual void Subtract(const Var<T>& z, const Var<T>& x, const Var<T>& y) = 0;
  virtual void Multiply(const Var<T>& z, const Var<T>& x, const Var<T>& y) = 0;
  virtual void Scale(const Var<T>& y, const Var<T>& x, T factor) = 0;
  virtual void AddBias(const Var<T>& y, const Var<T>& x, const Var<T>& bias) = 0;
  virtual void ScaleRows(const Var<T>& y, const Var<T>& x, const Var<T>& s) = 0;

  virtual void MixBlocks(const Var<T>& y, std::span<const Var<T>> parts, const Var<T>& gate) = 0;
  // Also ConcatColumns, which places one part after the other.
  virtual void PlaceColumns(const Var<T>& place, const Var<T>& x) = 0;

  // Of two parts or more: one part is its own result.
  virtual void ConcatRows(const Var<T>& y, std::span<const Var<T>> parts) = 0;
  virtual void GatherRows(const Var<T>& y, const Var<T>& x, const uint32_t* rows) = 0;
  virtual void RepeatRow(const Var<T>& y, const Var<T>& x) = 0;
  virtual void RowDots(const Var<T>& z, const Var<T>& x, const Var<T>& y, T factor) = 0;

  virtual void PairProducts(const Var<T>& y, const Var<T>& x, std::span<const uint32_t> begins,
                            uint32_t dim) = 0;
  virtual void SumColumns(const Var<T>& y, const Var<T>& x) = 0;
  virtual void ScaleBlocks(const Var<T>& y, const Var<T>& weight, const Var<T>& scale,
                           uint32_t n) = 0;

  virtual void SegmentSoftmax(const Var<T>& y, const Var<T>& x, const Segments& segments) = 0;
  virtual void SegmentSum(const Var<T>& y, const Var<T>& x, const Var<T>& weight,
                          const Segments& segments) = 0;
  // owner[i] is the segment that element i is in.
  virtual void SegmentOfEach(const uint32_t* owner, const Segments& segments) = 0;
  // Each of `rows` was cut: the newest `short_length` elements, those before in `long_length`.
  virtual void CutSegments(const Segments& elements_by_segment, const Segments& segments_by_row,
                           const Segments& rows, uint32_t short_length, uint32_t long_length) = 0;

  virtual void FunnelLogit(const Var<T>& y, std::span<const FunnelStep> steps,
                           std::span<const Var<T>> logits) = 0;
  virtual void FunnelConditionalLogit(const Var<T>& y, std::span<const FunnelStep> steps,
                                      std::span<const FunnelStep> missed,
                                      std::span<const Var<T>> logits) = 0;
  virtual void FakeNegativeLogit(const Var<T>& y, const Var<T>& x) = 0;
};

}  // namespace antiphon
