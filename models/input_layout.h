// InputLayout: how the features of a job become the columns of a model's input matrix, and which
// table each categorical feature reads. Pure functions of the job; a layout is frozen.
//
// Columns follow the feature groups of the job and the features in each. Where the model wants
// plain weights, the input begins with them: for LR and FM one column a task, to which every
// categorical feature adds its own, else one column a feature.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "common/base/types.h"
#include "models/model.h"
#include "models/step.h"
#include "models/tape/pooling_op.h"
#include "proto/job.pb.h"
#include "proto/parameters.pb.h"

namespace antiphon {

struct InputLayout {
  struct Sparse {
    TableId table = 0;
    uint32_t linear = 0;        // leading floats of a row that are plain weights
    uint32_t linear_begin = 0;  // their first column of the input
    uint32_t begin = 0;         // first column of the embedding, the other floats of a row
    uint32_t dim = 0;           // of the embedding; 0: it has none
    Pooling pooling = Pooling::kMean;
    bool is_sequence = false;  // has no columns of its own, see sequences
  };
  // A pair of a seq_att_map: attention fills the columns.
  struct Sequence {
    std::string name;  // of its blocks
    SequenceFeatures config;
    uint32_t column = 0;        // the items: a sparse column of a Batch
    TableId table = 0;          // of the items
    uint32_t target_begin = 0;  // where the input holds the target's embedding
    uint32_t begin = 0;         // first of the columns to fill, as many as the embedding has
  };
  struct Dense {
    uint32_t batch_begin = 0;  // first column of Batch::dense
    uint32_t begin = 0;
    uint32_t width = 0;
  };

  std::vector<Sparse> sparse;  // by sparse column of a Batch
  std::vector<Dense> dense;    // runs of columns that lie together in both
  std::vector<Sequence> sequences;
  std::vector<TableSpec> tables;  // by TableId, in order of first use by a sparse column
  InputShape shape;
};

// The job has passed CheckModelConfig.
InputLayout MakeInputLayout(const Job& job);

// Those rows of the batch as the input of a model, columns of sequences still 0. `tables` are
// leaves of the tape over step.table_rows; `rows` outlives the backward pass.
Var<float> GatherInput(Tape<float>& tape, const InputLayout& layout, const StepInput& step,
                       std::span<const Var<float>> tables, std::span<const uint32_t> rows);

}  // namespace antiphon
