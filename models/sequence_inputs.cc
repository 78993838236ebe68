#include "models/sequence_inputs.h"

#include <algorithm>

#include "models/tape/column_ops.h"
#include "models/tape/row_ops.h"

namespace antiphon {
namespace {

uint32_t LengthOf(const SparseColumn& column, uint32_t row) {
  return column.offsets[row + 1] - column.offsets[row];
}

// Which items of the pass are whose.
Segments ItemsOfRows(Tape<float>& tape, const SparseColumn& column,
                     std::span<const uint32_t> rows) {
  uint32_t* offsets = tape.Scratch<uint32_t>(rows.size() + 1);
  offsets[0] = 0;
  for (size_t r = 0; r < rows.size(); ++r) {
    offsets[r + 1] = offsets[r] + LengthOf(column, rows[r]);
  }
  return {offsets, static_cast<uint32_t>(rows.size())};
}

}  // namespace

SequenceInputs::SequenceInputs(const InputLayout& layout, BlockList& blocks) {
  for (const InputLayout::Sequence& place : layout.sequences) {
    const uint32_t dim = layout.sparse[place.column].dim;
    parts_.push_back({place, SequenceAttention({place.name, dim, dim}, place.config, blocks), dim});
  }
}

void SequenceInputs::Fill(const Pass<float>& pass, const StepInput& step,
                          std::span<const Var<float>> tables, std::span<const uint32_t> rows,
                          const Var<float>& input) const {
  for (size_t i = 0; i < parts_.size(); ++i) {
    const Part& part = parts_[i];
    const SparseColumn& column = step.batch->sparse[part.place.column];
    const Segments items_of_rows = ItemsOfRows(pass.tape, column, rows);
    const uint32_t count = items_of_rows.offsets[items_of_rows.count];
    uint32_t* table_rows = pass.tape.Scratch<uint32_t>(count);
    const std::vector<uint32_t>& row_of_value = step.row_of_value[part.place.column];
    for (size_t r = 0; r < rows.size(); ++r) {
      std::copy_n(row_of_value.data() + column.offsets[rows[r]], LengthOf(column, rows[r]),
                  table_rows + items_of_rows.offsets[r]);
    }
    const Var<float>& table = tables[part.place.table];
    const Var<float> items = GatherRows(
        pass.tape, SliceColumns(table, table.cols - part.dim, part.dim), table_rows, count);
    FillColumns(pass, i, items, items_of_rows, input);
  }
}

void SequenceInputs::FillColumns(const Pass<float>& pass, size_t index, const Var<float>& items,
                                 const Segments& items_of_rows, const Var<float>& input) const {
  const Part& part = parts_[index];
  const Var<float> target = SliceColumns(input, part.place.target_begin, items.cols);
  PlaceColumns(pass.tape, part.attention.Forward(pass, items, items_of_rows, target),
               SliceColumns(input, part.place.begin, part.attention.outputs()));
}

size_t SequenceInputs::RowsOfItems(const Batch& batch, std::span<const uint32_t> rows,
                                   size_t most) const {
  size_t items = 0;
  for (size_t r = 0; r < rows.size() && !parts_.empty(); ++r) {
    for (const Part& part : parts_) {
      items += LengthOf(batch.sparse[part.place.column], rows[r]);
    }
    if (items > most) {
      return std::max<size_t>(r, 1);
    }
  }
  return rows.size();
}

}  // namespace antiphon
