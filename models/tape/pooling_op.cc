#include "models/tape/pooling_op.h"

namespace antiphon {
namespace {

// What each weight of a sample is multiplied with.
template <typename T>
T ScaleOf(const PoolingValues& values, Pooling pooling, uint32_t sample) {
  const uint32_t begin = values.offsets[sample];
  const uint32_t end = values.offsets[sample + 1];
  if (pooling == Pooling::kSum) {
    return 1;
  }
  double total = end - begin;
  if (values.weights != nullptr) {
    total = 0;
    for (uint32_t i = begin; i < end; ++i) {
      total += values.weights[i];
    }
  }
  return total > 0 ? static_cast<T>(1 / total) : T{0};
}

// Calls visit(row of the table, r, weight) for every value. Embeddings are narrow: plain loops beat
// a call through the kernel table.
template <typename T, typename Visit>
void ForEachValue(const PoolingValues& values, Pooling pooling, size_t rows, Visit visit) {
  for (size_t r = 0; r < rows; ++r) {
    const uint32_t sample = values.samples[r];
    const T scale = ScaleOf<T>(values, pooling, sample);
    for (uint32_t i = values.offsets[sample]; i < values.offsets[sample + 1]; ++i) {
      const T weight = values.weights == nullptr ? T{1} : static_cast<T>(values.weights[i]);
      visit(values.rows[i], r, scale * weight);
    }
  }
}

template <typename T>
void AddScaled(size_t n, T factor, const T* __restrict from, T* __restrict to) {
  for (size_t c = 0; c < n; ++c) {
    to[c] += factor * from[c];
  }
}

}  // namespace

template <typename T>
void PoolRows(Tape<T>& tape, const Var<T>& table, const PoolingValues& values, Pooling pooling,
              const Var<T>& out) {
  const size_t dim = table.cols;
  const size_t stride = table.stride;
  ForEachValue<T>(values, pooling, out.rows, [&](uint32_t row, size_t r, T factor) {
    DCHECK_LT(row, table.rows);
    AddScaled(dim, factor, table.value + row * stride, out.value + r * out.stride);
  });
  tape.Record(out, [table, values, pooling, out, dim, stride](Tape<T>& t) {
    if (!t.Wants(table)) {
      return;
    }
    T* grad = t.Grad(table);
    ForEachValue<T>(values, pooling, out.rows, [&](uint32_t row, size_t r, T factor) {
      AddScaled(dim, factor, out.grad + r * out.stride, grad + row * stride);
    });
  });
}

template void PoolRows(Tape<float>&, const Var<float>&, const PoolingValues&, Pooling,
                       const Var<float>&);
template void PoolRows(Tape<double>&, const Var<double>&, const PoolingValues&, Pooling,
                       const Var<double>&);

}  // namespace antiphon
