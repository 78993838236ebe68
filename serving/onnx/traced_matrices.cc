#include "serving/onnx/traced_matrices.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace antiphon {

void TracedMatrices::SetConstant(const Var<float>& x, const std::string& name) {
  matrices_[x.value] = {
      .rows = x.rows, .cols = x.cols, .is_constant = true, .name = name, .parts = {}};
}

void TracedMatrices::Set(const Var<float>& x, const OnnxGraph::Value& value) {
  SetParts(x, std::span(&value, 1));
}

void TracedMatrices::SetParts(const Var<float>& x, std::span<const OnnxGraph::Value> parts) {
  Matrix& matrix = matrices_[x.value];
  matrix = {.rows = x.rows, .cols = x.cols, .is_constant = false, .name = {}, .parts = {}};
  const uint32_t width = x.cols / static_cast<uint32_t>(parts.size());
  for (uint32_t i = 0; i < parts.size(); ++i) {
    matrix.parts.push_back({i * width, (i + 1) * width, parts[i], 0, width});
  }
}

void TracedMatrices::Fail(const std::string& what) {
  if (status_.ok()) {
    status_ = UnimplementedError(what);
  }
}

const TracedMatrices::Matrix* TracedMatrices::Find(const float* at, size_t* offset) const {
  const auto next = matrices_.upper_bound(at);
  if (next == matrices_.begin()) {
    return nullptr;
  }
  const auto& [begin, matrix] = *std::prev(next);
  *offset = static_cast<size_t>(at - begin);
  return *offset < std::max<size_t>(SizeOf(matrix), 1) ? &matrix : nullptr;
}

bool TracedMatrices::IsConstant(const Var<float>& x) const {
  size_t offset = 0;
  const Matrix* matrix = Find(x.value, &offset);
  return matrix != nullptr && matrix->is_constant;
}

// In place of what stood in those columns before.
void TracedMatrices::PutPart(Matrix& matrix, Part part) {
  std::vector<Part> kept;
  for (const Part& old : matrix.parts) {
    if (old.begin < part.begin) {
      kept.push_back(old);
      kept.back().end = std::min(old.end, part.begin);
    }
    if (old.end > part.end) {
      kept.push_back(old);
      kept.back().begin = std::max(old.begin, part.end);
      kept.back().from += kept.back().begin - old.begin;
    }
  }
  kept.push_back(std::move(part));
  std::ranges::sort(kept, {}, &Part::begin);
  matrix.parts = std::move(kept);
}

void TracedMatrices::Place(const Var<float>& place, const Var<float>& x) {
  size_t offset = 0;
  if (Find(place.value, &offset) == nullptr) {
    offset = 0;
    matrices_[place.value] = {
        .rows = place.rows, .cols = place.stride, .is_constant = false, .name = {}, .parts = {}};
  }
  Matrix& matrix = matrices_.find(place.value - offset)->second;
  if (offset + place.cols > matrix.cols || matrix.is_constant || matrix.rows != place.rows) {
    return Fail("the model writes rows of a matrix, which has no translation");
  }
  const auto begin = static_cast<uint32_t>(offset);
  PutPart(matrix, {begin, begin + place.cols, Read(x), 0, place.cols});
}

OnnxGraph::Value TracedMatrices::ReadConstant(const Matrix& matrix, const Var<float>& x, As as) {
  std::vector<float> values;
  for (size_t r = 0; r < x.rows; ++r) {
    values.insert(values.end(), x.view().row(r), x.view().row(r) + x.cols);
  }
  std::vector<int64_t> dims = {x.rows, x.cols};
  if (as == As::kVector) {
    dims = {static_cast<int64_t>(x.size())};
  }
  return graph_.AddFloats(values, dims, matrix.name.empty() ? "constant" : matrix.name);
}

OnnxGraph::Value TracedMatrices::ReadPart(const Part& part, uint32_t begin, uint32_t end) {
  const uint32_t from = part.from + begin - part.begin;
  const uint32_t count = end - begin;
  if (from == 0 && count == part.width) {
    return part.value;
  }
  return graph_.AddNode("Slice", {part.value, graph_.AddInts({from}),
                                  graph_.AddInts({from + int64_t{count}}), graph_.AddInts({1})});
}

OnnxGraph::Value TracedMatrices::Read(const Var<float>& x, As as) {
  size_t offset = 0;
  const Matrix* matrix = Find(x.value, &offset);
  if (matrix == nullptr) {
    Fail("an op of the model has no translation: a matrix of " + std::to_string(x.rows) + " x " +
         std::to_string(x.cols) + " came from nowhere");
    return "";
  }
  if (matrix->is_constant) {
    return ReadConstant(*matrix, x, as);
  }
  const auto begin = static_cast<uint32_t>(offset);
  const uint32_t end = begin + x.cols;
  if (end > matrix->cols || x.rows != matrix->rows) {
    Fail("the model reads single rows of a matrix, which has no translation");
    return "";
  }
  std::vector<OnnxGraph::Value> pieces;
  uint32_t at = begin;
  for (const Part& part : matrix->parts) {
    if (part.begin <= at && at < std::min(part.end, end)) {
      const uint32_t stop = std::min(part.end, end);
      pieces.push_back(ReadPart(part, at, stop));
      at = stop;
    }
  }
  if (at != end || pieces.empty()) {
    Fail("the model reads columns that nothing was written to");
    return "";
  }
  const OnnxAttribute axis[] = {{.name = "axis", .number = 1}};
  return pieces.size() == 1 ? pieces[0] : graph_.AddNode("Concat", pieces, axis);
}

OnnxGraph::Value TracedMatrices::ReadColumns(const Var<float>& x, uint32_t begin, uint32_t count,
                                             As as) {
  Var<float> columns = x;
  columns.value += begin;
  columns.cols = count;
  return Read(columns, as);
}

}  // namespace antiphon
