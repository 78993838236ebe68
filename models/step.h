// What goes into one training step of a model and what comes out: plain ranges of floats, so that
// the model knows nothing of servers and the worker nothing of layers.
//
// Frozen while a step runs: the runner reads the inputs and writes the outputs, nobody else does.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/data/batch.h"

namespace antiphon {

// A batch whose embedding rows are at hand.
struct StepInput {
  const Batch* batch = nullptr;
  // Per sparse column of the batch: for every value the index of its row in its table's range.
  std::span<const std::vector<uint32_t>> row_of_value;
  // Per table of the schema: the batch's distinct rows, distinct rows x dim, row-major.
  std::span<const std::span<const float>> table_rows;
  // Per block of the schema: its current values.
  std::span<const std::span<const float>> blocks;
};

struct StepGradients {
  // Per table, as table_rows: sums over the samples of the batch.
  std::vector<std::vector<float>> tables;
  // Per block, as blocks: gradients of the batch's loss.
  std::vector<std::vector<float>> blocks;
  // Per block: whether anything of this batch reached it. One that is not present is not updated
  // at all, its optimizer state neither.
  std::vector<uint8_t> block_present;
};

struct StepOutput {
  // [measure][row]: what each task predicts, and then the conditionals of a funnel.
  std::vector<std::vector<float>> logits;
  double loss = 0;  // of the batch, as the job's reduction defines it
  // By task, where a loss_weight_strategy sets them: what this step weighed the towers' weights
  // with, and the mean over the steps so far where it is kept. Otherwise empty.
  std::vector<double> task_weights;
  std::vector<double> mean_task_weights;
};

}  // namespace antiphon
