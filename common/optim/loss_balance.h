// Update rules of the dense block that holds the weights of a job's tasks.
//
// With K tasks the block is 3 x K: the weights; their mean over the steps that the task was in;
// each task's average loss. What is pushed are measurements, 3 x K as well: the norm of each task's
// gradient, its loss, and 1 where the task was in the batch, else 0. A task that was not changes
// nothing that is its own. Whichever worker a measurement comes from, the weights know only one
// history, that of the lane. The block lies in one chunk; a job that goes on from a snapshot may
// have more tasks, whose columns come behind. Rules are frozen; any thread may call.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "common/base/status.h"
#include "common/optim/dense_optimizer.h"
#include "proto/parameters.pb.h"

namespace antiphon {

// Rows of the block, and of what is pushed for it.
enum BalanceRow : size_t { kTaskWeight, kMeanTaskWeight, kAverageLoss, kBalanceRows };
enum MeasuredRow : size_t { kGradientNorm, kTaskLoss, kTaskPresent };

// InvalidArgument when no rule is chosen or a number of it makes no sense.
StatusOr<std::unique_ptr<DenseOptimizer>> MakeLossBalance(const LossBalance& config);

// Whether a block with the rule `saved` can go on as one with the rule `planned`: its tasks are the
// first ones there.
bool CanGoOn(const LossBalance& saved, const LossBalance& planned);

// StepMeasurements: what all workers measured in one step, as one measurement: the mean of the
// norms and losses of each task over the pushes that it was in.
//
// A few floats add up exactly in double, so the order in which pushes came leaves no trace. Owned
// by one thread.
class StepMeasurements {
 public:
  void Add(std::span<const float> measured);
  bool empty() const { return is_empty_; }
  // From now on there are so many tasks; those of before are the first ones.
  void Widen(size_t tasks);
  // Valid until the next Add; forgets what there was.
  std::span<const float> Take();

 private:
  std::vector<double> sums_;
  std::vector<float> mean_;
  bool is_empty_ = true;
};

// One step of GradNorm (Chen et al. 2018, equations 1 and 2 and algorithm 1), the target held
// constant: with G_i = w_i n_i and target_i = mean G  r_i^alpha, r_i = rate_i / mean rate,
//
//   w_i <- max(w_i - lr sign(G_i - target_i) n_i / mean n, min_weight)
//
// and then all times what gives them their former sum. No second derivative: G_i is linear in w_i.
struct GradNormStep {
  double alpha = 0;
  double lr = 0;
  double min_weight = 0;

  // Spans of the tasks that take part, at least one.
  void Apply(std::span<const double> norm, std::span<const double> rate,
             std::span<double> weight) const;
};

// weight_i = K softmax(speed_i / temperature), speed_i being a loss over the loss of the window
// before (Liu et al. 2019, equation 7).
void DynamicWeights(double temperature, std::span<const double> speed, std::span<double> weight);

}  // namespace antiphon
