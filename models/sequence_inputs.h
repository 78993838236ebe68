// SequenceInputs: the attentions of a job, which fill the columns of its feature groups'
// sequence_features before the model reads them. Every model may have them. Frozen.
#pragma once

#include <span>
#include <vector>

#include "models/input_layout.h"
#include "models/sequence_attention.h"

namespace antiphon {

class SequenceInputs {
 public:
  SequenceInputs(const InputLayout& layout, BlockList& blocks);

  // `input` is what GatherInput made of `rows`, the other arguments those that it was given.
  void Fill(const Pass<float>& pass, const StepInput& step, std::span<const Var<float>> tables,
            std::span<const uint32_t> rows, const Var<float>& input) const;

  // One sequence after the other, in the layout's order: what the attention of sequence `index`
  // makes of `items` goes to its columns.
  void FillColumns(const Pass<float>& pass, size_t index, const Var<float>& items,
                   const Segments& items_of_rows, const Var<float>& input) const;

  // How many of `rows`, from the first on, have about `most` items together; at least one.
  size_t RowsOfItems(const Batch& batch, std::span<const uint32_t> rows, size_t most) const;

 private:
  struct Part {
    InputLayout::Sequence place;
    SequenceAttention attention;
    uint32_t dim = 0;  // of an item's embedding, the last floats of its table row
  };

  std::vector<Part> parts_;
};

}  // namespace antiphon
