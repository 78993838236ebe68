// Ops on whole columns of a matrix: side by side, some of them, mixed by a gate, held still.
#pragma once

#include <span>

#include "models/tape/tape.h"

namespace antiphon {

// Columns [begin, begin + count) of x: a window, nothing is copied.
template <typename T>
Var<T> SliceColumns(const Var<T>& x, uint32_t begin, uint32_t count);

// The matrices side by side.
template <typename T>
Var<T> ConcatColumns(Tape<T>& tape, std::span<const Var<T>> parts);

// sum_i gate[., i] x[., block i]: each row of x holds gate.cols blocks of equal width, the outputs
// of the experts, and the gate says how much of each is taken.
template <typename T>
Var<T> MixBlocks(Tape<T>& tape, const Var<T>& x, const Var<T>& gate);

// The same, with the blocks in several matrices: those of the first come first.
template <typename T>
Var<T> MixBlocks(Tape<T>& tape, std::span<const Var<T>> parts, const Var<T>& gate);

// Writes x to `place`, some columns of a matrix that nothing has read yet.
template <typename T>
void PlaceColumns(Tape<T>& tape, const Var<T>& x, const Var<T>& place);

// The value of x, through which no gradient flows.
template <typename T>
Var<T> StopGradient(const Var<T>& x);

}  // namespace antiphon
