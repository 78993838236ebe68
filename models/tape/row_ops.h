// Ops on whole rows of a matrix: some of them, one below the other, picked, repeated, compared.
//
// What they are for: rows of one scene lie together and go through the scene's own network; the
// items of sequences are rows that are picked from a table.
#pragma once

#include <cstdint>
#include <span>

#include "models/tape/tape.h"

namespace antiphon {

// Rows [begin, begin + count) of x: a window, nothing is copied.
template <typename T>
Var<T> SliceRows(const Var<T>& x, uint32_t begin, uint32_t count);

// The matrices one below the other. A part whose gradient is zero everywhere counts as not reached:
// rows that no loss looks at do not touch the network that only they went through.
template <typename T>
Var<T> ConcatRows(Tape<T>& tape, std::span<const Var<T>> parts);

// Row i is row rows[i] of x. `rows` is `count` long and outlives the backward pass.
template <typename T>
Var<T> GatherRows(Tape<T>& tape, const Var<T>& x, const uint32_t* rows, uint32_t count);

// `count` times the only row of x.
template <typename T>
Var<T> RepeatRow(Tape<T>& tape, const Var<T>& x, uint32_t count);

// One column: factor <row of x, row of y>.
template <typename T>
Var<T> RowDots(Tape<T>& tape, const Var<T>& x, const Var<T>& y, T factor);

}  // namespace antiphon
