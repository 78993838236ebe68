#include "models/tape/pair_ops.h"

#include <algorithm>

#include "models/tape/op_trace.h"

namespace antiphon {

template <typename T>
Var<T> PairProducts(Tape<T>& tape, const Var<T>& x, std::span<const uint32_t> begins,
                    uint32_t dim) {
  Var<T> y = tape.New(x.rows, dim, x.depends);
  T* sums = tape.template Scratch<T>(y.size());
  std::fill_n(sums, y.size(), T{0});
  for (size_t r = 0; r < x.rows; ++r) {
    T* __restrict sum = sums + r * dim;
    T* __restrict out = y.value + r * dim;
    std::fill_n(out, dim, T{0});
    for (const uint32_t begin : begins) {
      const T* __restrict field = x.value + r * x.stride + begin;
      for (size_t c = 0; c < dim; ++c) {
        // What is there times what is new: no difference of large squares.
        out[c] += sum[c] * field[c];
        sum[c] += field[c];
      }
    }
  }
  if (tape.trace() != nullptr) {
    tape.trace()->PairProducts(y, x, begins, dim);
  }
  tape.Record(y, [x, y, sums, begins, dim](Tape<T>& t) {
    if (!t.Wants(x)) {
      return;
    }
    T* grad = t.Grad(x);
    for (size_t r = 0; r < x.rows; ++r) {
      const T* __restrict sum = sums + r * dim;
      const T* __restrict dy = y.grad + r * dim;
      for (const uint32_t begin : begins) {
        const T* __restrict field = x.value + r * x.stride + begin;
        T* __restrict dx = grad + r * x.stride + begin;
        for (size_t c = 0; c < dim; ++c) {
          dx[c] += (sum[c] - field[c]) * dy[c];
        }
      }
    }
  });
  return y;
}

template <typename T>
Var<T> SumColumns(Tape<T>& tape, const Var<T>& x) {
  Var<T> y = tape.New(x.rows, 1, x.depends);
  for (size_t r = 0; r < x.rows; ++r) {
    y.value[r] = static_cast<T>(tape.kernels().sum(x.cols, x.view().row(r)));
  }
  if (tape.trace() != nullptr) {
    tape.trace()->SumColumns(y, x);
  }
  tape.Record(y, [x, y](Tape<T>& t) {
    if (!t.Wants(x)) {
      return;
    }
    T* grad = t.Grad(x);
    for (size_t r = 0; r < x.rows; ++r) {
      for (size_t c = 0; c < x.cols; ++c) {
        grad[r * x.stride + c] += y.grad[r];
      }
    }
  });
  return y;
}

template <typename T>
Var<T> ScaleBlocks(Tape<T>& tape, const Var<T>& weight, const Var<T>& scale, uint32_t n) {
  DCHECK(weight.contiguous() && scale.size() == size_t{n} * n);
  const size_t height = weight.rows / n;
  const size_t width = weight.cols / n;
  Var<T> y = tape.New(weight.rows, weight.cols, weight.depends | scale.depends);
  for (size_t i = 0; i < y.size(); ++i) {
    const size_t block = i / weight.cols / height * n + i % weight.cols / width;
    y.value[i] = scale.value[block] * weight.value[i];
  }
  if (tape.trace() != nullptr) {
    tape.trace()->ScaleBlocks(y, weight, scale, n);
  }
  tape.Record(y, [weight, scale, y, n, height, width](Tape<T>& t) {
    T* dweight = t.GradIfWanted(weight);
    T* dscale = t.GradIfWanted(scale);
    for (size_t i = 0; i < y.size(); ++i) {
      const size_t block = i / weight.cols / height * n + i % weight.cols / width;
      if (dweight != nullptr)
        dweight[i] += scale.value[block] * y.grad[i];
      if (dscale != nullptr)
        dscale[block] += weight.value[i] * y.grad[i];
    }
  });
  return y;
}

#define AP_INSTANTIATE(T)                                                                     \
  template Var<T> PairProducts(Tape<T>&, const Var<T>&, std::span<const uint32_t>, uint32_t); \
  template Var<T> SumColumns(Tape<T>&, const Var<T>&);                                        \
  template Var<T> ScaleBlocks(Tape<T>&, const Var<T>&, const Var<T>&, uint32_t);
AP_INSTANTIATE(float)
AP_INSTANTIATE(double)
#undef AP_INSTANTIATE

}  // namespace antiphon
