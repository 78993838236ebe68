// DenseOptimizer: applies gradients to chunks of dense blocks.
//
// A chunk counts its own steps: one that was absent from a push (an unused task or scene) does not
// advance. Optimizers that look at a whole row have no meaning on a chunk, whose cut is arbitrary,
// and are refused; lazy Adam on a chunk is Adam. Frozen after creation; any thread may call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "common/base/status.h"
#include "proto/optimizer.pb.h"
#include "proto/parameters.pb.h"

namespace antiphon {

class DenseOptimizer {
 public:
  virtual ~DenseOptimizer() = default;

  // Floats of state that n weights need.
  virtual size_t state_floats(size_t n) const = 0;
  // Fills the state of n weights that are set.
  virtual void InitState(size_t n, const float* weights, float* state) const = 0;
  // `step` is the number of this update among those of the chunk, from 1.
  virtual void Apply(size_t n, uint64_t step, const float* gradient, float* weights,
                     float* state) const = 0;
  // Takes over what a snapshot has of a chunk. InvalidArgument when a size differs.
  virtual Status Adopt(std::span<const float> saved_weights, std::span<const float> saved_state,
                       std::span<float> weights, std::span<float> state) const;
};

// Fails where MakeUpdateRule does, and for row-wise Adagrad and group FTRL.
StatusOr<std::unique_ptr<DenseOptimizer>> MakeDenseOptimizer(const OptimizerConfig& config);

// The error of Adopt.
Status SizesDiffer(std::span<const float> saved_weights, std::span<const float> saved_state,
                   std::span<const float> weights, std::span<const float> state);

// What updates a block: its optimizer, or its loss_balance, for which it has the right shape and
// lies in one chunk of `chunk_floats`.
StatusOr<std::unique_ptr<DenseOptimizer>> MakeBlockOptimizer(const BlockSpec& block,
                                                             uint32_t chunk_floats);

}  // namespace antiphon
