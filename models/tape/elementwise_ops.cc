#include "models/tape/elementwise_ops.h"

#include <algorithm>

#include "common/base/hash.h"
#include "models/tape/op_trace.h"
#include "models/tape/pass_gradient.h"

namespace antiphon {
namespace {

// A new matrix with the elements of `x`.
template <typename T>
Var<T> Copy(Tape<T>& tape, const Var<T>& x, Gradients depends) {
  Var<T> y = tape.New(x.rows, x.cols, depends);
  for (size_t r = 0; r < x.rows; ++r) {
    std::copy_n(x.view().row(r), x.cols, y.value + r * y.stride);
  }
  return y;
}

template <typename T>
void PReluBackward(Tape<T>& tape, const Var<T>& x, const Var<T>& alpha, const Var<T>& y) {
  T* dalpha = tape.GradIfWanted(alpha);
  T* dx = tape.GradIfWanted(x);
  for (size_t r = 0; r < x.rows; ++r) {
    const T* in = x.view().row(r);
    const T* dy = y.grad + r * y.stride;
    for (size_t c = 0; c < x.cols; ++c) {
      if (dalpha != nullptr) {
        dalpha[c] += in[c] > 0 ? T{0} : dy[c] * in[c];
      }
      if (dx != nullptr) {
        dx[r * x.stride + c] += in[c] > 0 ? dy[c] : dy[c] * alpha.value[c];
      }
    }
  }
}

}  // namespace

template <typename T>
Var<T> Activate(Tape<T>& tape, const Var<T>& x, Activation activation) {
  const size_t f = static_cast<size_t>(activation);
  Var<T> y = Copy(tape, x, x.depends);
  tape.kernels().bias_activate[f](y.rows, y.cols, y.stride, nullptr, y.value);
  if (tape.trace() != nullptr) {
    tape.trace()->Activate(y, x, activation);
  }
  tape.Record(y, [x, y, f](Tape<T>& t) {
    if (!t.Wants(x)) {
      return;
    }
    t.kernels().activate_backward[f](y.rows, y.cols, y.stride, y.value, y.grad, nullptr);
    PassGradient(t, y, x);
  });
  return y;
}

template <typename T>
Var<T> PRelu(Tape<T>& tape, const Var<T>& x, const Var<T>& alpha) {
  Var<T> y = tape.New(x.rows, x.cols, x.depends | alpha.depends);
  for (size_t r = 0; r < x.rows; ++r) {
    const T* in = x.view().row(r);
    T* out = y.value + r * y.stride;
    for (size_t c = 0; c < x.cols; ++c) {
      out[c] = in[c] > 0 ? in[c] : alpha.value[c] * in[c];
    }
  }
  if (tape.trace() != nullptr) {
    tape.trace()->PRelu(y, x, alpha);
  }
  tape.Record(y, [x, alpha, y](Tape<T>& t) { PReluBackward(t, x, alpha, y); });
  return y;
}

template <typename T>
Var<T> Softmax(Tape<T>& tape, const Var<T>& x) {
  Var<T> y = Copy(tape, x, x.depends);
  tape.kernels().softmax_rows(y.rows, y.cols, y.stride, y.value);
  if (tape.trace() != nullptr) {
    tape.trace()->Softmax(y, x);
  }
  tape.Record(y, [x, y](Tape<T>& t) {
    if (!t.Wants(x)) {
      return;
    }
    T* dx = t.Grad(x);
    for (size_t r = 0; r < x.rows; ++r) {
      t.kernels().softmax_rows_backward(1, y.cols, y.stride, y.value + r * y.stride,
                                        y.grad + r * y.stride, dx + r * x.stride);
    }
  });
  return y;
}

template <typename T>
Var<T> Add(Tape<T>& tape, const Var<T>& x, const Var<T>& y) {
  Var<T> z = Copy(tape, x, x.depends | y.depends);
  for (size_t r = 0; r < z.rows; ++r) {
    tape.kernels().add(z.cols, y.view().row(r), z.value + r * z.stride);
  }
  if (tape.trace() != nullptr) {
    tape.trace()->Add(z, x, y);
  }
  tape.Record(z, [x, y, z](Tape<T>& t) {
    PassGradient(t, z, x);
    PassGradient(t, z, y);
  });
  return z;
}

template <typename T>
Var<T> Subtract(Tape<T>& tape, const Var<T>& x, const Var<T>& y) {
  Var<T> z = Copy(tape, x, x.depends | y.depends);
  for (size_t r = 0; r < z.rows; ++r) {
    tape.kernels().axpy(z.cols, T{-1}, y.view().row(r), z.value + r * z.stride);
  }
  if (tape.trace() != nullptr) {
    tape.trace()->Subtract(z, x, y);
  }
  tape.Record(z, [x, y, z](Tape<T>& t) {
    PassGradient(t, z, x);
    PassGradient(t, z, y, T{-1});
  });
  return z;
}

template <typename T>
Var<T> Scale(Tape<T>& tape, const Var<T>& x, T factor) {
  Var<T> y = Copy(tape, x, x.depends);
  tape.kernels().scale(y.size(), factor, y.value);
  if (tape.trace() != nullptr) {
    tape.trace()->Scale(y, x, factor);
  }
  tape.Record(y, [x, y, factor](Tape<T>& t) { PassGradient(t, y, x, factor); });
  return y;
}

template <typename T>
Var<T> AddBias(Tape<T>& tape, const Var<T>& x, const Var<T>& bias) {
  Var<T> y = Copy(tape, x, x.depends | bias.depends);
  for (size_t r = 0; r < y.rows; ++r) {
    tape.kernels().add(y.cols, bias.value, y.value + r * y.stride);
  }
  if (tape.trace() != nullptr) {
    tape.trace()->AddBias(y, x, bias);
  }
  tape.Record(y, [x, bias, y](Tape<T>& t) {
    PassGradient(t, y, x);
    T* dbias = t.GradIfWanted(bias);
    for (size_t r = 0; dbias != nullptr && r < y.rows; ++r) {
      t.kernels().add(y.cols, y.grad + r * y.stride, dbias);
    }
  });
  return y;
}

template <typename T>
Var<T> Multiply(Tape<T>& tape, const Var<T>& x, const Var<T>& y) {
  Var<T> z = tape.New(x.rows, x.cols, x.depends | y.depends);
  for (size_t r = 0; r < z.rows; ++r) {
    tape.kernels().multiply(z.cols, x.view().row(r), y.view().row(r), z.value + r * z.stride);
  }
  if (tape.trace() != nullptr) {
    tape.trace()->Multiply(z, x, y);
  }
  tape.Record(z, [x, y, z](Tape<T>& t) {
    T* dx = t.GradIfWanted(x);
    T* dy = t.GradIfWanted(y);
    for (size_t r = 0; r < z.rows; ++r) {
      const T* dz = z.grad + r * z.stride;
      if (dx != nullptr) {
        t.kernels().multiply_add(z.cols, dz, y.view().row(r), dx + r * x.stride);
      }
      if (dy != nullptr) {
        t.kernels().multiply_add(z.cols, dz, x.view().row(r), dy + r * y.stride);
      }
    }
  });
  return z;
}

template <typename T>
Var<T> ScaleRows(Tape<T>& tape, const Var<T>& x, const Var<T>& s) {
  Var<T> y = Copy(tape, x, x.depends | s.depends);
  for (size_t r = 0; r < y.rows; ++r) {
    tape.kernels().scale(y.cols, *s.view().row(r), y.value + r * y.stride);
  }
  if (tape.trace() != nullptr) {
    tape.trace()->ScaleRows(y, x, s);
  }
  tape.Record(y, [x, s, y](Tape<T>& t) {
    T* dx = t.GradIfWanted(x);
    T* ds = t.GradIfWanted(s);
    for (size_t r = 0; r < y.rows; ++r) {
      const T* dy = y.grad + r * y.stride;
      if (dx != nullptr) {
        t.kernels().axpy(y.cols, *s.view().row(r), dy, dx + r * x.stride);
      }
      if (ds != nullptr) {
        ds[r * s.stride] += static_cast<T>(t.kernels().dot(y.cols, dy, x.view().row(r)));
      }
    }
  });
  return y;
}

template <typename T>
Var<T> Dropout(Tape<T>& tape, const Var<T>& x, float ratio, const DropoutSeed& seed) {
  Var<T> y = tape.New(x.rows, x.cols, x.depends);
  T* keep = tape.template Scratch<T>(y.size());  // 0 or 1 / (1 - ratio)
  const T scale = static_cast<T>(1 / (1 - static_cast<double>(ratio)));
  const auto limit = static_cast<uint32_t>(static_cast<double>(ratio) * 4294967296.0);
  for (size_t r = 0; r < x.rows; ++r) {
    const uint64_t row_seed = Mix64(seed.seed, seed.first_row + r);
    const T* in = x.view().row(r);
    for (size_t c = 0; c < x.cols; ++c) {
      const bool dropped = static_cast<uint32_t>(Mix64(row_seed + c)) < limit;
      keep[r * x.cols + c] = dropped ? T{0} : scale;
      y.value[r * y.stride + c] = in[c] * keep[r * x.cols + c];
    }
  }
  tape.Record(y, [x, y, keep](Tape<T>& t) {
    if (!t.Wants(x)) {
      return;
    }
    T* dx = t.Grad(x);
    for (size_t r = 0; r < x.rows; ++r) {
      t.kernels().multiply_add(x.cols, y.grad + r * y.stride, keep + r * x.cols, dx + r * x.stride);
    }
  });
  return y;
}

#define AP_INSTANTIATE(T)                                            \
  template Var<T> Activate(Tape<T>&, const Var<T>&, Activation);     \
  template Var<T> PRelu(Tape<T>&, const Var<T>&, const Var<T>&);     \
  template Var<T> Softmax(Tape<T>&, const Var<T>&);                  \
  template Var<T> Add(Tape<T>&, const Var<T>&, const Var<T>&);       \
  template Var<T> Subtract(Tape<T>&, const Var<T>&, const Var<T>&);  \
  template Var<T> Scale(Tape<T>&, const Var<T>&, T);                 \
  template Var<T> AddBias(Tape<T>&, const Var<T>&, const Var<T>&);   \
  template Var<T> Multiply(Tape<T>&, const Var<T>&, const Var<T>&);  \
  template Var<T> ScaleRows(Tape<T>&, const Var<T>&, const Var<T>&); \
  template Var<T> Dropout(Tape<T>&, const Var<T>&, float, const DropoutSeed&);
AP_INSTANTIATE(float)
AP_INSTANTIATE(double)
#undef AP_INSTANTIATE

}  // namespace antiphon
