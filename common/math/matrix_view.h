// MatrixView: a row-major matrix in memory that somebody else owns.
#pragma once

#include <cstddef>

namespace antiphon {

template <typename T>
struct MatrixView {
  T* data = nullptr;
  size_t rows = 0;
  size_t cols = 0;
  size_t stride = 0;  // from one row to the next, >= cols

  T* row(size_t r) const { return data + r * stride; }
  MatrixView columns(size_t begin, size_t count) const {
    return {data + begin, rows, count, stride};
  }

  // A view that may write is also one that may not.
  operator MatrixView<const T>() const {  // NOLINT(google-explicit-constructor)
    return {data, rows, cols, stride};
  }
};

}  // namespace antiphon
