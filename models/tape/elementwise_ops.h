// Ops that treat every element, or every row, by itself.
#pragma once

#include <cstdint>

#include "models/tape/tape.h"

namespace antiphon {

template <typename T>
Var<T> Activate(Tape<T>& tape, const Var<T>& x, Activation activation);

// max(x, 0) + alpha min(x, 0), one alpha a column. (He et al. 2015.)
template <typename T>
Var<T> PRelu(Tape<T>& tape, const Var<T>& x, const Var<T>& alpha);

// Over each row.
template <typename T>
Var<T> Softmax(Tape<T>& tape, const Var<T>& x);

template <typename T>
Var<T> Add(Tape<T>& tape, const Var<T>& x, const Var<T>& y);

template <typename T>
Var<T> Subtract(Tape<T>& tape, const Var<T>& x, const Var<T>& y);

// factor x
template <typename T>
Var<T> Scale(Tape<T>& tape, const Var<T>& x, T factor);

// Every row of x plus `bias`, which is one row.
template <typename T>
Var<T> AddBias(Tape<T>& tape, const Var<T>& x, const Var<T>& bias);

template <typename T>
Var<T> Multiply(Tape<T>& tape, const Var<T>& x, const Var<T>& y);

// Row r of x times s[r]; s has one column.
template <typename T>
Var<T> ScaleRows(Tape<T>& tape, const Var<T>& x, const Var<T>& s);

// Which elements a dropout keeps is a function of (seed, row, column) alone: a batch gives the same
// result in however many slices it is computed.
struct DropoutSeed {
  uint64_t seed = 0;
  uint64_t first_row = 0;  // of x in the batch
};

// Each element is 0 with probability `ratio`, else x / (1 - ratio). ratio < 1.
template <typename T>
Var<T> Dropout(Tape<T>& tape, const Var<T>& x, float ratio, const DropoutSeed& seed);

}  // namespace antiphon
