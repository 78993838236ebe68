#include "models/tape/row_ops.h"

#include <algorithm>

#include "models/tape/op_trace.h"
#include "models/tape/pass_gradient.h"

namespace antiphon {
namespace {

template <typename T>
bool AllZero(const Var<T>& x) {
  for (size_t r = 0; r < x.rows; ++r) {
    const T* row = x.grad + r * x.stride;
    if (std::any_of(row, row + x.cols, [](T g) { return g != 0; })) {
      return false;
    }
  }
  return true;
}

}  // namespace

template <typename T>
Var<T> SliceRows(const Var<T>& x, uint32_t begin, uint32_t count) {
  DCHECK_LE(begin + count, x.rows);
  Var<T> slice = x;
  slice.value += size_t{begin} * x.stride;
  slice.grad = x.grad == nullptr ? nullptr : x.grad + size_t{begin} * x.stride;
  slice.rows = count;
  return slice;
}

template <typename T>
Var<T> ConcatRows(Tape<T>& tape, std::span<const Var<T>> parts) {
  if (parts.size() == 1) {
    return parts.front();
  }
  uint32_t rows = 0;
  Gradients depends = kNoGradients;
  for (const Var<T>& part : parts) {
    DCHECK_EQ(part.cols, parts.front().cols);
    rows += part.rows;
    depends = depends | part.depends;
  }
  Var<T> y = tape.New(rows, parts.front().cols, depends);
  uint32_t begin = 0;
  for (const Var<T>& part : parts) {
    const Var<T> place = SliceRows(y, begin, part.rows);
    for (size_t r = 0; r < part.rows; ++r) {
      std::copy_n(part.view().row(r), part.cols, place.value + r * place.stride);
    }
    tape.Record(place, [part, place](Tape<T>& t) {
      if (t.Wants(part) && !AllZero(place)) {
        PassGradient(t, place, part);
      }
    });
    begin += part.rows;
  }
  if (tape.trace() != nullptr) {
    tape.trace()->ConcatRows(y, parts);
  }
  return y;
}

template <typename T>
Var<T> GatherRows(Tape<T>& tape, const Var<T>& x, const uint32_t* rows, uint32_t count) {
  Var<T> y = tape.New(count, x.cols, x.depends);
  for (size_t r = 0; r < count; ++r) {
    DCHECK_LT(rows[r], x.rows);
    std::copy_n(x.view().row(rows[r]), x.cols, y.value + r * y.stride);
  }
  if (tape.trace() != nullptr) {
    tape.trace()->GatherRows(y, x, rows);
  }
  tape.Record(y, [x, y, rows](Tape<T>& t) {
    if (!t.Wants(x)) {
      return;
    }
    T* grad = t.Grad(x);
    for (size_t r = 0; r < y.rows; ++r) {
      t.kernels().add(y.cols, y.grad + r * y.stride, grad + size_t{rows[r]} * x.stride);
    }
  });
  return y;
}

template <typename T>
Var<T> RepeatRow(Tape<T>& tape, const Var<T>& x, uint32_t count) {
  DCHECK_EQ(x.rows, 1U);
  Var<T> y = tape.New(count, x.cols, x.depends);
  for (size_t r = 0; r < count; ++r) {
    std::copy_n(x.value, x.cols, y.value + r * y.stride);
  }
  if (tape.trace() != nullptr) {
    tape.trace()->RepeatRow(y, x);
  }
  tape.Record(y, [x, y](Tape<T>& t) {
    if (!t.Wants(x)) {
      return;
    }
    T* grad = t.Grad(x);
    for (size_t r = 0; r < y.rows; ++r) {
      t.kernels().add(y.cols, y.grad + r * y.stride, grad);
    }
  });
  return y;
}

template <typename T>
Var<T> RowDots(Tape<T>& tape, const Var<T>& x, const Var<T>& y, T factor) {
  Var<T> z = tape.New(x.rows, 1, x.depends | y.depends);
  for (size_t r = 0; r < z.rows; ++r) {
    const double dot = tape.kernels().dot(x.cols, x.view().row(r), y.view().row(r));
    z.value[r] = static_cast<T>(factor * dot);
  }
  if (tape.trace() != nullptr) {
    tape.trace()->RowDots(z, x, y, factor);
  }
  tape.Record(z, [x, y, z, factor](Tape<T>& t) {
    T* dx = t.GradIfWanted(x);
    T* dy = t.GradIfWanted(y);
    for (size_t r = 0; r < z.rows; ++r) {
      const T slope = factor * z.grad[r];
      if (dx != nullptr)
        t.kernels().axpy(x.cols, slope, y.view().row(r), dx + r * x.stride);
      if (dy != nullptr)
        t.kernels().axpy(x.cols, slope, x.view().row(r), dy + r * y.stride);
    }
  });
  return z;
}

#define AP_INSTANTIATE(T)                                                         \
  template Var<T> SliceRows(const Var<T>&, uint32_t, uint32_t);                   \
  template Var<T> ConcatRows(Tape<T>&, std::span<const Var<T>>);                  \
  template Var<T> GatherRows(Tape<T>&, const Var<T>&, const uint32_t*, uint32_t); \
  template Var<T> RepeatRow(Tape<T>&, const Var<T>&, uint32_t);                   \
  template Var<T> RowDots(Tape<T>&, const Var<T>&, const Var<T>&, T);
AP_INSTANTIATE(float)
AP_INSTANTIATE(double)
#undef AP_INSTANTIATE

}  // namespace antiphon
