// TracedMatrices: which value of a graph lies where in the memory of a tape.
//
// A Var is a window of some matrix. A matrix is known by where it begins, and its columns by the
// values that were written there; a matrix that follows from weights alone is a constant, and is
// read from memory. All of one pass: memory means nothing once the tape is reset. Owned by one
// thread.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "models/tape/tape.h"
#include "serving/onnx/onnx_graph.h"

namespace antiphon {

class TracedMatrices {
 public:
  explicit TracedMatrices(OnnxGraph& graph) : graph_(graph) {}

  // All of `x` is a constant that wants to be called `name`.
  void SetConstant(const Var<float>& x, const std::string& name);
  // All of `x`, a matrix of its own, is `value`.
  void Set(const Var<float>& x, const OnnxGraph::Value& value);
  // The same in parts of equal width, side by side.
  void SetParts(const Var<float>& x, std::span<const OnnxGraph::Value> parts);
  // Columns of some matrix. One that nothing is known of yet begins with `place`.
  void Place(const Var<float>& place, const Var<float>& x);

  bool IsConstant(const Var<float>& x) const;
  // What lies in `x`. A constant has its shape or, `as_vector`, one dimension.
  enum class As { kMatrix, kVector };
  OnnxGraph::Value Read(const Var<float>& x, As as = As::kMatrix);
  // Columns [begin, begin + count) of it.
  OnnxGraph::Value ReadColumns(const Var<float>& x, uint32_t begin, uint32_t count,
                               As as = As::kMatrix);

  // What could not be said so far: the first error of Read or Place.
  const Status& status() const { return status_; }

 private:
  // Columns [begin, end) of a matrix are columns [from, from + end - begin) of a value that has
  // `width`.
  struct Part {
    uint32_t begin = 0;
    uint32_t end = 0;
    OnnxGraph::Value value;
    uint32_t from = 0;
    uint32_t width = 0;
  };
  struct Matrix {
    uint32_t rows = 0;
    uint32_t cols = 0;
    bool is_constant = false;
    std::string name;         // of a constant
    std::vector<Part> parts;  // otherwise, by column
  };
  // A window of whole rows.
  struct Window {
    const Matrix* matrix = nullptr;
    uint32_t begin = 0;  // column
  };

  static size_t SizeOf(const Matrix& matrix) { return size_t{matrix.rows} * matrix.cols; }
  const Matrix* Find(const float* at, size_t* offset) const;
  OnnxGraph::Value ReadConstant(const Matrix& matrix, const Var<float>& x, As as);
  OnnxGraph::Value ReadPart(const Part& part, uint32_t begin, uint32_t end);
  void PutPart(Matrix& matrix, Part part);
  void Fail(const std::string& what);

  OnnxGraph& graph_;
  std::map<const float*, Matrix> matrices_;  // by where they begin
  Status status_;
};

}  // namespace antiphon
