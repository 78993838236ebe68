#include "models/tape/column_ops.h"

#include <algorithm>

namespace antiphon {

template <typename T>
Var<T> SliceColumns(const Var<T>& x, uint32_t begin, uint32_t count) {
  DCHECK_LE(begin + count, x.cols);
  Var<T> slice = x;
  slice.value += begin;
  slice.grad = x.grad == nullptr ? nullptr : x.grad + begin;
  slice.cols = count;
  return slice;
}

template <typename T>
Var<T> ConcatColumns(Tape<T>& tape, std::span<const Var<T>> parts) {
  uint32_t cols = 0;
  Gradients depends = kNoGradients;
  for (const Var<T>& part : parts) {
    cols += part.cols;
    depends = depends | part.depends;
  }
  Var<T> y = tape.New(parts.front().rows, cols, depends);
  uint32_t begin = 0;
  for (const Var<T>& part : parts) {
    const Var<T> place = SliceColumns(y, begin, part.cols);
    for (size_t r = 0; r < y.rows; ++r) {
      std::copy_n(part.view().row(r), part.cols, place.value + r * place.stride);
    }
    tape.Record(place, [part, place](Tape<T>& t) {
      if (!t.Wants(part)) {
        return;
      }
      T* grad = t.Grad(part);
      for (size_t r = 0; r < place.rows; ++r) {
        t.kernels().add(part.cols, place.grad + r * place.stride, grad + r * part.stride);
      }
    });
    begin += part.cols;
  }
  return y;
}

template <typename T>
Var<T> MixBlocks(Tape<T>& tape, const Var<T>& x, const Var<T>& gate) {
  const uint32_t width = x.cols / gate.cols;
  Var<T> y = tape.New(x.rows, width, x.depends | gate.depends);
  for (size_t r = 0; r < x.rows; ++r) {
    T* out = y.value + r * y.stride;
    std::fill_n(out, width, T{0});
    for (size_t i = 0; i < gate.cols; ++i) {
      tape.kernels().axpy(width, gate.view().row(r)[i], x.view().row(r) + i * width, out);
    }
  }
  tape.Record(y, [x, gate, y, width](Tape<T>& t) {
    T* dx = t.Wants(x) ? t.Grad(x) : nullptr;
    T* dgate = t.Wants(gate) ? t.Grad(gate) : nullptr;
    for (size_t r = 0; r < x.rows; ++r) {
      const T* dy = y.grad + r * y.stride;
      for (size_t i = 0; i < gate.cols; ++i) {
        const size_t block = r * x.stride + i * width;
        if (dx != nullptr)
          t.kernels().axpy(width, gate.view().row(r)[i], dy, dx + block);
        if (dgate != nullptr) {
          dgate[r * gate.stride + i] += static_cast<T>(t.kernels().dot(width, dy, x.value + block));
        }
      }
    }
  });
  return y;
}

template <typename T>
Var<T> StopGradient(const Var<T>& x) {
  Var<T> still = x;
  still.grad = nullptr;
  still.buffer = nullptr;
  still.depends = kNoGradients;
  return still;
}

#define AP_INSTANTIATE(T)                                            \
  template Var<T> SliceColumns(const Var<T>&, uint32_t, uint32_t);   \
  template Var<T> ConcatColumns(Tape<T>&, std::span<const Var<T>>);  \
  template Var<T> MixBlocks(Tape<T>&, const Var<T>&, const Var<T>&); \
  template Var<T> StopGradient(const Var<T>&);
AP_INSTANTIATE(float)
AP_INSTANTIATE(double)
#undef AP_INSTANTIATE

}  // namespace antiphon
