#include "models/tape/segment_ops.h"

#include <algorithm>
#include <cmath>

#include "models/tape/op_trace.h"

namespace antiphon {

template <typename T>
Var<T> SegmentSoftmax(Tape<T>& tape, const Var<T>& x, const Segments& segments) {
  DCHECK(x.cols == 1 && x.contiguous() && x.rows == segments.offsets[segments.count]);
  Var<T> y = tape.New(x.rows, 1, x.depends);
  for (uint32_t s = 0; s < segments.count; ++s) {
    const uint32_t begin = segments.offsets[s];
    const uint32_t end = segments.offsets[s + 1];
    if (begin == end) {
      continue;
    }
    const T highest = *std::max_element(x.value + begin, x.value + end);
    double sum = 0;
    for (uint32_t i = begin; i < end; ++i) {
      y.value[i] = std::exp(x.value[i] - highest);
      sum += y.value[i];
    }
    tape.kernels().scale(end - begin, static_cast<T>(1 / sum), y.value + begin);
  }
  if (tape.trace() != nullptr) {
    tape.trace()->SegmentSoftmax(y, x, segments);
  }
  tape.Record(y, [x, y, segments](Tape<T>& t) {
    if (!t.Wants(x)) {
      return;
    }
    T* dx = t.Grad(x);
    for (uint32_t s = 0; s < segments.count; ++s) {
      const uint32_t begin = segments.offsets[s];
      const uint32_t count = segments.offsets[s + 1] - begin;
      const T mean = static_cast<T>(t.kernels().dot(count, y.value + begin, y.grad + begin));
      for (uint32_t i = begin; i < begin + count; ++i) {
        dx[i] += y.value[i] * (y.grad[i] - mean);
      }
    }
  });
  return y;
}

template <typename T>
Var<T> SegmentSum(Tape<T>& tape, const Var<T>& x, const Var<T>& weight, const Segments& segments) {
  DCHECK(weight.cols == 1 && weight.contiguous() && weight.rows == x.rows);
  Var<T> y = tape.New(segments.count, x.cols, x.depends | weight.depends);
  for (size_t s = 0; s < segments.count; ++s) {
    T* out = y.value + s * y.stride;
    std::fill_n(out, y.cols, T{0});
    for (uint32_t i = segments.offsets[s]; i < segments.offsets[s + 1]; ++i) {
      tape.kernels().axpy(x.cols, weight.value[i], x.view().row(i), out);
    }
  }
  if (tape.trace() != nullptr) {
    tape.trace()->SegmentSum(y, x, weight, segments);
  }
  tape.Record(y, [x, weight, y, segments](Tape<T>& t) {
    T* dx = t.GradIfWanted(x);
    T* dweight = t.GradIfWanted(weight);
    for (size_t s = 0; s < segments.count; ++s) {
      const T* dy = y.grad + s * y.stride;
      for (size_t i = segments.offsets[s]; i < segments.offsets[s + 1]; ++i) {
        if (dx != nullptr)
          t.kernels().axpy(x.cols, weight.value[i], dy, dx + i * x.stride);
        if (dweight != nullptr)
          dweight[i] += static_cast<T>(t.kernels().dot(x.cols, dy, x.view().row(i)));
      }
    }
  });
  return y;
}

#define AP_INSTANTIATE(T)                                                   \
  template Var<T> SegmentSoftmax(Tape<T>&, const Var<T>&, const Segments&); \
  template Var<T> SegmentSum(Tape<T>&, const Var<T>&, const Var<T>&, const Segments&);
AP_INSTANTIATE(float)
AP_INSTANTIATE(double)
#undef AP_INSTANTIATE

}  // namespace antiphon
