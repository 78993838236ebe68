// RowOptimizer: applies gradients to embedding rows.
//
// A row's floats are its weights [dim] followed by its optimizer state [state_floats()]. A row of
// segments has the weights of all of them and then the state of each. All
// optimizers are lazy: only rows that are present in a push change. Adam and AdamW count the
// updates of each row in one more float of its state (exact up to 2^24, by then the correction is
// 1); lazy Adam may count the table's pushes instead. Frozen after creation; any thread may call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "common/base/status.h"
#include "proto/optimizer.pb.h"
#include "proto/parameters.pb.h"

namespace antiphon {

class RowOptimizer {
 public:
  virtual ~RowOptimizer() = default;

  uint32_t dim() const { return dim_; }
  size_t state_floats() const { return state_floats_; }
  // Weights and state.
  size_t row_floats() const { return dim_ + state_floats_; }

  // Fills the state of a new row whose weights are set.
  virtual void InitState(float* row) const = 0;

  // Updates each row by the dim() floats of its gradient, which lie one after the other in the
  // order of `rows`. A null row is skipped with its gradient. `table_pushes` is the number of this
  // push among those of the table, from 1.
  virtual void Apply(std::span<float* const> rows, const float* gradients,
                     uint64_t table_pushes) const = 0;

 protected:
  RowOptimizer(uint32_t dim, size_t state_floats) : dim_(dim), state_floats_(state_floats) {}

 private:
  uint32_t dim_;
  size_t state_floats_;
};

// Fails where MakeUpdateRule does. dim > 0.
StatusOr<std::unique_ptr<RowOptimizer>> MakeRowOptimizer(const OptimizerConfig& config,
                                                         uint32_t dim);
// That of a table, each segment of whose rows may have its own.
StatusOr<std::unique_ptr<RowOptimizer>> MakeRowOptimizer(const TableSpec& table);

}  // namespace antiphon
