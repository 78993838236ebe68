// Batch normalisation: columns brought to mean 0 and deviation 1 over some rows. (Ioffe and Szegedy
// 2015.) What training counts, evaluation normalises with.
#pragma once

#include "models/tape/tape.h"

namespace antiphon {

// Of each column; null: those of the rows at hand, whose gradient is then taken too.
template <typename T>
struct Moments {
  const T* mean = nullptr;
  const T* inverse_deviation = nullptr;  // 1 / sqrt(variance + 1e-5)
};

// (x - mean) / deviation * gamma + beta; gamma and beta are one row.
template <typename T>
Var<T> NormalizeColumns(Tape<T>& tape, const Var<T>& x, const Var<T>& gamma, const Var<T>& beta,
                        const Moments<T>& moments);

// Adds what the rows of x come to, [sums, sums of squares, number of rows], to the gradient of
// `sums`, at once and unscaled: counts are no slopes of a loss. `sums` is one row of 2 x.cols + 1.
template <typename T>
void CountMoments(Tape<T>& tape, const Var<T>& x, const Var<T>& sums);

// Whether anything was counted into the values of `sums`.
template <typename T>
bool HasMoments(const Var<T>& sums);

// The moments that the values of `sums` stand for; mean 0 and deviation 1 before anything counted.
template <typename T>
Moments<T> MomentsOf(Tape<T>& tape, const Var<T>& sums);

}  // namespace antiphon
