#include "models/gradient_probe.h"

#include <algorithm>

#include "common/math/kernels.h"

namespace antiphon {
namespace {

// The gradient of the layer's weights, given that of its output before the activation. `beta`: what
// lies in `sum` times this is added, 0 or 1.
void AddWeightGradient(Tape<float>& tape, const SharedLayer<float>& layer, const float* slope,
                       float beta, float* sum) {
  const size_t outputs = layer.output.cols / layer.stack;
  const size_t inputs = layer.weight.cols;
  const MatrixView<const float> all = {slope, layer.output.rows, layer.output.cols,
                                       layer.output.cols};
  if (layer.reads_whole_input) {
    tape.gemm().Multiply(Op::kTransposed, all, Op::kPlain, layer.input.view(), beta,
                         MatrixView<float>{sum, layer.output.cols, inputs, inputs});
    return;
  }
  for (size_t i = 0; i < layer.stack; ++i) {
    tape.gemm().Multiply(Op::kTransposed, all.columns(i * outputs, outputs), Op::kPlain,
                         layer.input.view().columns(i * inputs, inputs), beta,
                         MatrixView<float>{sum + i * outputs * inputs, outputs, inputs, inputs});
  }
}

}  // namespace

void GradientProbe::Start(GradNormConfig::Source source, size_t tasks) {
  source_ = source;
  tasks_.resize(tasks);
  for (Task& task : tasks_) {
    task.reached = false;
    task.square_sum = 0;
  }
}

void GradientProbe::Begin(const SharedLayer<float>& layer) {
  sum_.resize(layer.output.size());
  any_ = false;
}

void GradientProbe::Take(Tape<float>& tape, const SharedLayer<float>& layer, size_t k) {
  const Var<float>& output = layer.output;
  if (!tape.Reached(output)) {
    return;
  }
  DCHECK(output.contiguous() && output.buffer->size == output.size());
  const size_t size = output.size();
  Task& task = tasks_[k];
  const bool is_first = !task.reached;
  task.reached = true;
  if (any_) {
    tape.kernels().add(size, output.grad, sum_.data());
  } else {
    std::copy_n(output.grad, size, sum_.data());
  }
  any_ = true;
  output.buffer->live = false;
  if (source_ == GradNormConfig::ACTIVATION) {
    task.square_sum += tape.kernels().dot(size, output.grad, output.grad);
    return;
  }
  tape.kernels().activate_backward[static_cast<size_t>(layer.activation)](
      output.rows, output.cols, output.stride, output.value, output.grad, nullptr);
  task.gradient.resize(layer.weight.size());
  AddWeightGradient(tape, layer, output.grad, is_first ? 0.0F : 1.0F, task.gradient.data());
}

void GradientProbe::PutBack(const SharedLayer<float>& layer) const {
  if (any_) {
    std::copy_n(sum_.data(), layer.output.size(), layer.output.grad);
    layer.output.buffer->live = true;
  }
}

void GradientProbe::AddToWeight(Tape<float>& tape, const SharedLayer<float>& layer) const {
  for (const Task& task : tasks_) {
    if (task.reached && source_ == GradNormConfig::WEIGHT) {
      tape.kernels().add(task.gradient.size(), task.gradient.data(), tape.Grad(layer.weight));
    }
  }
}

double GradientProbe::SquareSum(const std::vector<const GradientProbe*>& probes, size_t k,
                                size_t index) {
  // Rows of a batch have activations of their own, weights are the same for all.
  const Task& own = probes[index]->tasks_[k];
  if (probes[index]->source_ != GradNormConfig::WEIGHT) {
    return own.square_sum;
  }
  if (probes.size() == 1) {
    const float* gradient = own.gradient.data();
    return own.reached ? BestKernels().dot(own.gradient.size(), gradient, gradient) : 0;
  }
  size_t size = 0;
  for (const GradientProbe* probe : probes) {
    size = probe->tasks_[k].reached ? probe->tasks_[k].gradient.size() : size;
  }
  double square_sum = 0;
  const size_t end = size * (index + 1) / probes.size();
  for (size_t i = size * index / probes.size(); i < end; ++i) {
    double gradient = 0;
    for (const GradientProbe* probe : probes) {
      const Task& task = probe->tasks_[k];
      gradient += task.reached ? task.gradient[i] : 0;
    }
    square_sum += gradient * gradient;
  }
  return square_sum;
}

}  // namespace antiphon
