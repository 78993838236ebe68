// From embedding rows to columns of the input matrix, and gradients back to the rows.
#pragma once

#include <cstdint>
#include <span>

#include "models/tape/tape.h"

namespace antiphon {

enum class Pooling { kSum, kMean };

// One categorical feature of some samples, in compressed-sparse-row form. Sample i of the batch
// owns values [offsets[i], offsets[i + 1]), positions into `rows` and `weights`.
struct PoolingValues {
  std::span<const uint32_t> samples;  // which sample of the batch each row of the result is
  const uint32_t* offsets = nullptr;
  const uint32_t* rows = nullptr;  // which row of the table each value reads
  const float* weights = nullptr;  // null: all 1
};

// out[r] += sum of w table[row] over the values of sample r, divided by the sum of w for kMean. A
// sample without values adds nothing. `out` is a slice of a matrix that starts at 0. The gradient
// of a row is a sum over all its uses.
template <typename T>
void PoolRows(Tape<T>& tape, const Var<T>& table, const PoolingValues& values, Pooling pooling,
              const Var<T>& out);

}  // namespace antiphon
