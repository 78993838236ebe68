// Ops on a matrix whose rows fall into segments: segment s owns rows [offsets[s], offsets[s + 1]).
// They are the two halves of an attention: weights that add up to one, and what they make of the
// rows. An empty segment has no weights and becomes a row of zeros.
#pragma once

#include <cstdint>

#include "models/tape/tape.h"

namespace antiphon {

// `offsets` is count + 1 long, ascending from 0, and outlives the backward pass.
struct Segments {
  const uint32_t* offsets = nullptr;
  uint32_t count = 0;
};

// The softmax of the only column of x, inside each segment.
template <typename T>
Var<T> SegmentSoftmax(Tape<T>& tape, const Var<T>& x, const Segments& segments);

// Row s is the sum of weight[i] x[i] over the rows i of segment s; `weight` has one column.
template <typename T>
Var<T> SegmentSum(Tape<T>& tape, const Var<T>& x, const Var<T>& weight, const Segments& segments);

}  // namespace antiphon
