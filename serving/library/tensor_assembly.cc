#include "serving/library/tensor_assembly.h"

#include <numeric>
#include <utility>

#include "serving/onnx/model_graph.h"

namespace antiphon {

TensorAssembly::TensorAssembly(InputLayout layout, bool has_scene)
    : layout_(std::move(layout)),
      has_scene_(has_scene),
      gemm_(Gemm::Create(GemmBackend::kEigen)),
      tape_(gemm_, BestKernels()) {}

std::vector<serving::Tensor> TensorAssembly::Assemble(const StepInput& input) {
  rows_.resize(input.batch->rows);
  std::iota(rows_.begin(), rows_.end(), 0U);
  tape_.Reset(Tape<float>::Recording::kNo);
  std::vector<Var<float>> tables;
  for (size_t i = 0; i < layout_.tables.size(); ++i) {
    const uint32_t dim = layout_.tables[i].dim();
    tables.push_back(
        tape_.Constant(input.table_rows[i].data(), input.table_rows[i].size() / dim, dim));
  }
  const Var<float> matrix = GatherInput(tape_, layout_, input, tables, rows_);
  std::vector<serving::Tensor> tensors;
  tensors.push_back({.name = kFeaturesInput,
                     .dims = {matrix.rows, matrix.cols},
                     .floats = {matrix.value, matrix.value + matrix.size()},
                     .wholes = {}});
  if (has_scene_) {
    tensors.push_back(Scenes(*input.batch));
  }
  for (const InputLayout::Sequence& sequence : layout_.sequences) {
    AddItems(input, sequence, tensors);
  }
  return tensors;
}

serving::Tensor TensorAssembly::Scenes(const Batch& batch) const {
  serving::Tensor scenes = {.name = kSceneInput, .dims = {batch.rows}, .floats = {}, .wholes = {}};
  for (const uint32_t scene : batch.scene) {
    scenes.wholes.push_back(scene == kUnlistedScene ? -1 : int64_t{scene});
  }
  return scenes;
}

void TensorAssembly::AddItems(const StepInput& input, const InputLayout::Sequence& sequence,
                              std::vector<serving::Tensor>& tensors) const {
  const SparseColumn& column = input.batch->sparse[sequence.column];
  const size_t width = layout_.tables[sequence.table].dim();
  const size_t dim = layout_.sparse[sequence.column].dim;
  serving::Tensor items = {.name = ItemsInput(sequence), .dims = {}, .floats = {}, .wholes = {}};
  serving::Tensor rows = {.name = RowsInput(sequence), .dims = {}, .floats = {}, .wholes = {}};
  for (uint32_t r = 0; r < input.batch->rows; ++r) {
    for (uint32_t i = column.offsets[r]; i < column.offsets[r + 1]; ++i) {
      const size_t end = (input.row_of_value[sequence.column][i] + size_t{1}) * width;
      const float* row = input.table_rows[sequence.table].data() + end;
      items.floats.insert(items.floats.end(), row - dim, row);
      rows.wholes.push_back(r);
    }
  }
  const auto count = static_cast<int64_t>(rows.wholes.size());
  items.dims = {count, static_cast<int64_t>(dim)};
  rows.dims = {count};
  tensors.push_back(std::move(items));
  tensors.push_back(std::move(rows));
}

}  // namespace antiphon
