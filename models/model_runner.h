// ModelRunner: one training or scoring step of the job's model on a batch whose rows are at hand.
//
// The batch is cut into `compute_threads` slices of rows, each with a tape and gradients of its
// own, which are added up in order: the result depends on the inputs and on the number of slices,
// never on timing. A slice goes through its rows some hundred at a time, so that what one layer
// writes is still in the cache when the next one reads it. Where the model has parts of single
// scenes, it goes through the rows scene by scene; results come out in the batch's order.
//
// Dense gradients are those of the batch's loss, tasks divided as the job's loss_reduction says.
// Embedding gradients are plain sums over the samples, sum_k weight_k sum_b w dl: a row that occurs
// once must move as far in a large batch as in a small one. Where all tasks have the same divisor
// the two differ by that factor; otherwise there are two backward passes.
//
// Where GradNorm measures a batch the pass goes from the losses to the last shared layer task by
// task, and from there once. For PCGrad every task has a dense pass of its own.
//
// Owned by one thread, which calls everything.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "common/base/status.h"
#include "common/math/gemm.h"
#include "models/fork_join.h"
#include "models/gradient_probe.h"
#include "models/input_layout.h"
#include "models/model.h"
#include "models/scene_order.h"
#include "models/sequence_inputs.h"
#include "models/step.h"
#include "models/task_balance.h"
#include "models/task_gradients.h"
#include "models/task_targets.h"
#include "proto/job.pb.h"
#include "proto/parameters.pb.h"

namespace antiphon {

struct ModelRunnerOptions {
  int compute_threads = 1;
};

class ModelRunner {
 public:
  // FailedPrecondition when `schema` is not what BuildParameterSchema makes of the job, in whatever
  // order of its blocks.
  static StatusOr<std::unique_ptr<ModelRunner>> Create(const Job& job,
                                                       const ParameterSchema& schema,
                                                       const Gemm& gemm,
                                                       const ModelRunnerOptions& options);

  // Forward and backward. `gradients` keeps its memory from step to step; tables that no sample
  // reached are zero, blocks that none reached are zero and not present.
  void Train(const StepInput& input, uint64_t dropout_seed, StepGradients& gradients,
             StepOutput& output);

  // Forward only, without dropout.
  void Score(const StepInput& input, StepOutput& output);

  // What each task was to predict in the batch of the last step: labels and weights for metrics.
  const TaskTargets& targets() const { return targets_; }

 private:
  // Gradients of one slice. Slice 0 writes those of its caller.
  struct Buffers {
    std::vector<GradBuffer<float>> blocks;
    std::vector<GradBuffer<float>> tables;
    std::vector<std::vector<float>> memory;  // blocks, then tables; empty in slice 0
  };
  using BufferGroup = std::vector<GradBuffer<float>> Buffers::*;  // blocks or tables
  struct Slice {
    explicit Slice(const Gemm& gemm) : tape(gemm, BestKernels()) {}

    Tape<float> tape;
    Buffers buffers;
    std::vector<Var<float>> blocks;
    std::vector<Var<float>> tables;
    std::vector<Var<float>> logits;
    std::vector<SceneRows> scenes;  // of the rows at hand
    std::vector<float> labels;      // [task][row], of the rows at hand
    std::vector<float> weights;     // [task][row]
    std::vector<Target<float>> targets;
    std::vector<float> scales;       // [task], what Losses multiplies with
    std::vector<double> sums;        // [task], of the rows at hand
    std::vector<double> totals;      // [task], of the slice
    std::vector<uint64_t> requests;  // of the rows at hand; only with ranking losses
    SharedLayer<float> shared;       // of the rows at hand, where norms are measured
    GradientProbe probe;
    TaskGradients task_gradients;     // only for PCGrad
    std::vector<double> square_sums;  // [task], of this slice's part of the shared weights
  };
  // One call of Train or Score, as all slices see it.
  struct Step {
    const StepInput* input = nullptr;
    StepGradients* gradients = nullptr;  // null: score
    StepOutput* output = nullptr;
    uint64_t dropout_seed = 0;
    bool one_pass = true;
    bool measures_norms = false;
    std::vector<float> dense_scale;  // [task]: weight over divisor, both weights in it
    std::vector<float> sum_scale;    // [task]: weight
    float table_factor = 1;          // what one pass leaves the tables short of
  };

  ModelRunner(const Job& job, const ParameterSchema& schema, std::vector<BlockId> block_places,
              const Gemm& gemm, const ModelRunnerOptions& options);

  void Run(const StepInput& input, StepGradients* gradients, StepOutput& output);
  void PlanScales();
  // The first row of slice `index`; `threads` gives the end of the last one.
  uint32_t SliceBegin(int index) const;
  uint32_t RowsFrom(uint32_t begin, uint32_t end) const;
  // The first place from `row` on that begins a request; `row` itself where that does not matter.
  uint32_t WholeRequests(uint32_t row) const;
  void ComputeSlice(int index);
  void ComputeRows(Slice& slice, uint32_t begin, uint32_t rows);
  void GatherTargets(Slice& slice, std::span<const uint32_t> rows) const;
  void Backward(Slice& slice) const;
  void BackwardByTask(Slice& slice, Gradients wanted) const;
  void BackwardOfEachTask(Slice& slice) const;
  void PrepareBuffers(int index);
  void MergeSlices(int index);
  void MergePart(BufferGroup group, size_t which, int index);
  void SumSquares(int index);
  void PushBalance();
  void ProjectGradients();
  double TowerWeight(size_t k) const { return targets_.task_weight(k) * balance_.weight(k); }
  // Of the whole batch, the tower's weight included; 0 without a sample.
  double TaskLossOf(size_t k) const;
  double TotalLoss() const;

  const Gemm gemm_;
  const std::vector<BlockId> block_places_;  // by block of the model: its id in the schema
  const InputLayout layout_;
  BlockList block_list_;
  const SequenceInputs sequences_;
  const std::unique_ptr<Model<float>> model_;
  TaskBalance balance_;
  TaskTargets targets_;
  SceneOrder order_;  // of the batch at hand; the row of a slice is a place in it
  std::vector<std::unique_ptr<Slice>> slices_;
  std::vector<const GradientProbe*> probes_;  // of the slices
  std::vector<TaskMeasurement> measured_;     // of the step at hand
  Step step_;
  ForkJoin fork_join_;
};

}  // namespace antiphon
