#include "models/tape/column_ops.h"

#include <algorithm>

#include "models/tape/op_trace.h"
#include "models/tape/pass_gradient.h"

namespace antiphon {
namespace {

// y += sum_i gate[., i] x[., block i]
template <typename T>
void AddMixed(const Tape<T>& tape, const Var<T>& x, const Var<T>& gate, const Var<T>& y) {
  for (size_t r = 0; r < x.rows; ++r) {
    for (size_t i = 0; i < gate.cols; ++i) {
      tape.kernels().axpy(y.cols, gate.view().row(r)[i], x.view().row(r) + i * y.cols,
                          y.value + r * y.stride);
    }
  }
}

template <typename T>
void AddMixedBackward(Tape<T>& tape, const Var<T>& x, const Var<T>& gate, const Var<T>& y) {
  T* dx = tape.GradIfWanted(x);
  T* dgate = tape.GradIfWanted(gate);
  for (size_t r = 0; r < x.rows; ++r) {
    const T* dy = y.grad + r * y.stride;
    for (size_t i = 0; i < gate.cols; ++i) {
      const size_t block = r * x.stride + i * y.cols;
      if (dx != nullptr) {
        tape.kernels().axpy(y.cols, gate.view().row(r)[i], dy, dx + block);
      }
      if (dgate != nullptr) {
        dgate[r * gate.stride + i] +=
            static_cast<T>(tape.kernels().dot(y.cols, dy, x.value + block));
      }
    }
  }
}

}  // namespace

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
    PlaceColumns(tape, part, SliceColumns(y, begin, part.cols));
    begin += part.cols;
  }
  return y;
}

template <typename T>
Var<T> MixBlocks(Tape<T>& tape, const Var<T>& x, const Var<T>& gate) {
  return MixBlocks(tape, std::span(&x, 1), gate);
}

template <typename T>
Var<T> MixBlocks(Tape<T>& tape, std::span<const Var<T>> parts, const Var<T>& gate) {
  uint32_t cols = 0;
  Gradients depends = gate.depends;
  for (const Var<T>& part : parts) {
    cols += part.cols;
    depends = depends | part.depends;
  }
  const uint32_t width = cols / gate.cols;
  Var<T> y = tape.New(gate.rows, width, depends);
  std::fill_n(y.value, y.size(), T{0});
  uint32_t first = 0;
  for (const Var<T>& x : parts) {
    const Var<T> share = SliceColumns(gate, first, x.cols / width);
    AddMixed(tape, x, share, y);
    tape.Record(y, [x, share, y](Tape<T>& t) { AddMixedBackward(t, x, share, y); });
    first += share.cols;
  }
  DCHECK_EQ(first, gate.cols);
  if (tape.trace() != nullptr) {
    tape.trace()->MixBlocks(y, parts, gate);
  }
  return y;
}

template <typename T>
void PlaceColumns(Tape<T>& tape, const Var<T>& x, const Var<T>& place) {
  DCHECK(x.rows == place.rows && x.cols == place.cols);
  for (size_t r = 0; r < x.rows; ++r) {
    std::copy_n(x.view().row(r), x.cols, place.value + r * place.stride);
  }
  if (tape.trace() != nullptr) {
    tape.trace()->PlaceColumns(place, x);
  }
  tape.Record(place, [x, place](Tape<T>& t) { PassGradient(t, place, x); });
}

template <typename T>
Var<T> StopGradient(const Var<T>& x) {
  Var<T> still = x;
  still.grad = nullptr;
  still.buffer = nullptr;
  still.depends = kNoGradients;
  return still;
}

#define AP_INSTANTIATE(T)                                                      \
  template Var<T> SliceColumns(const Var<T>&, uint32_t, uint32_t);             \
  template Var<T> ConcatColumns(Tape<T>&, std::span<const Var<T>>);            \
  template Var<T> MixBlocks(Tape<T>&, const Var<T>&, const Var<T>&);           \
  template Var<T> MixBlocks(Tape<T>&, std::span<const Var<T>>, const Var<T>&); \
  template void PlaceColumns(Tape<T>&, const Var<T>&, const Var<T>&);          \
  template Var<T> StopGradient(const Var<T>&);
AP_INSTANTIATE(float)
AP_INSTANTIATE(double)
#undef AP_INSTANTIATE

}  // namespace antiphon
