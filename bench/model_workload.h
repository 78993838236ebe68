// The reference workload of a training step, and a batch of it with rows and blocks, as a worker
// has it after a pull.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/rng.h"
#include "models/step.h"
#include "proto/job.pb.h"
#include "proto/parameters.pb.h"

namespace antiphon {

// 26 fields of dim 16, 13 numbers, MMoE with 8 experts 256-128 and `tasks` towers 64-32.
Job ReferenceJob(uint32_t tasks);

class Workload {
 public:
  // Keys follow a Zipf law over a million rows. The schema is that of a ReferenceJob.
  Workload(const ParameterSchema& schema, uint32_t batch_rows);
  Workload(const Workload&) = delete;
  Workload& operator=(const Workload&) = delete;

  const StepInput& input() const { return input_; }

 private:
  void FillRows(uint32_t batch_rows, Rng& rng);
  void FillLabels(size_t tasks, Rng& rng);
  void FillBlocks(const ParameterSchema& schema);

  Batch batch_;
  std::vector<std::vector<uint32_t>> row_of_value_;
  std::vector<float> rows_;
  std::vector<std::vector<float>> blocks_;
  std::vector<std::span<const float>> table_spans_;
  std::vector<std::span<const float>> block_spans_;
  StepInput input_;
};

}  // namespace antiphon
