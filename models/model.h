// Model: from the input matrix (pooled embeddings beside numbers, one row a sample) to one logit a
// task, and from labels to losses. Layers and models are built over a BlockList, know their blocks
// by id and are frozen then: any number of passes may run at once, each on its own tape.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "models/block_list.h"
#include "models/tape/elementwise_ops.h"
#include "models/tape/loss_ops.h"
#include "models/tape/tape.h"
#include "proto/job.pb.h"

namespace antiphon {

// One forward pass over some rows of a batch.
template <typename T>
struct Pass {
  Tape<T>& tape;
  std::span<const Var<T>> blocks;                                   // by BlockId
  enum class Purpose { kScore, kTrain } purpose = Purpose::kScore;  // dropout only in training
  DropoutSeed dropout;

  const Var<T>& block(BlockId id) const { return blocks[id]; }
};

template <typename T>
class Model {
 public:
  virtual ~Model() = default;

  // Fills logits[k], rows x 1, for every tower.
  virtual void Forward(const Pass<T>& pass, const Var<T>& input,
                       std::span<Var<T>> logits) const = 0;

  // Records every task's loss and fills sums[k], the plain weighted sum. The gradient of task k is
  // multiplied with scales[k] as it stands when Backward runs.
  virtual void Losses(Tape<T>& tape, std::span<const Var<T>> logits,
                      std::span<const Target<T>> targets, std::span<const T> scales,
                      std::span<double> sums) const {
    for (size_t k = 0; k < logits.size(); ++k) {
      sums[k] = LogLoss(tape, logits[k], targets[k], &scales[k]);
    }
  }

  // The logit of what task k predicts, for row r.
  virtual float PredictedLogit(std::span<const Var<T>> logits, size_t k, size_t r) const {
    return static_cast<float>(logits[k].value[r]);
  }
};

// What a model is told about its input.
struct InputShape {
  uint32_t width = 0;
  uint32_t wide = 0;  // LR: leading columns that are sums of weights, one a task
};

// The model of the job; its blocks are added to `blocks`. The config has passed CheckModelConfig.
template <typename T>
std::unique_ptr<Model<T>> MakeModel(const ModelConfig& config, const InputShape& input,
                                    BlockList& blocks);

}  // namespace antiphon
