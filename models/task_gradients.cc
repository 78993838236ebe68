#include "models/task_gradients.h"

#include <algorithm>
#include <numeric>

#include "common/base/hash.h"
#include "common/base/rng.h"
#include "common/math/kernels.h"

namespace antiphon {
namespace {

// The other tasks in an order of its own for each task.
std::vector<std::vector<size_t>> RandomOrders(size_t tasks, uint64_t seed) {
  std::vector<std::vector<size_t>> orders(tasks, std::vector<size_t>(tasks));
  for (size_t i = 0; i < tasks; ++i) {
    std::vector<size_t>& order = orders[i];
    std::iota(order.begin(), order.end(), size_t{0});
    Rng rng(Mix64(seed, i));
    for (size_t left = tasks; left > 1; --left) {
      std::swap(order[left - 1], order[rng.Below(left)]);
    }
  }
  return orders;
}

}  // namespace

std::vector<double> ConflictFreeMultipliers(const std::vector<std::vector<double>>& inner,
                                            const std::vector<std::vector<size_t>>& order) {
  const size_t tasks = inner.size();
  std::vector<double> sum(tasks, 0);
  for (size_t i = 0; i < tasks; ++i) {
    std::vector<double> share(tasks, 0);  // g_i = sum_c share_c G_c
    share[i] = 1;
    for (const size_t j : order[i]) {
      if (j == i || !(inner[j][j] > 0)) {
        continue;
      }
      double product = 0;
      for (size_t c = 0; c < tasks; ++c) {
        product += share[c] * inner[c][j];
      }
      if (product < 0) {
        share[j] -= product / inner[j][j];
      }
    }
    for (size_t c = 0; c < tasks; ++c) {
      sum[c] += share[c];
    }
  }
  return sum;
}

void TaskGradients::Start(size_t tasks, size_t blocks) {
  parts_.resize(tasks);
  for (std::vector<Part>& parts : parts_) {
    parts.resize(blocks);
    for (Part& part : parts) {
      part.live = false;
    }
  }
}

void TaskGradients::AddTo(Part& part, std::span<const float> values) const {
  if (part.live) {
    BestKernels().add(values.size(), values.data(), part.values.data());
  } else {
    part.values.assign(values.begin(), values.end());
    part.live = true;
  }
}

void TaskGradients::Take(size_t k, std::span<GradBuffer<float>> blocks) {
  for (size_t block = 0; block < blocks.size(); ++block) {
    if (blocks[block].live) {
      AddTo(parts_[k][block], {blocks[block].data, blocks[block].size});
      blocks[block].live = false;
    }
  }
}

void TaskGradients::Add(const TaskGradients& other) {
  for (size_t k = 0; k < parts_.size(); ++k) {
    for (size_t block = 0; block < parts_[k].size(); ++block) {
      if (other.parts_[k][block].live) {
        AddTo(parts_[k][block], other.parts_[k][block].values);
      }
    }
  }
}

size_t TaskGradients::TasksOf(size_t block) const {
  return static_cast<size_t>(
      std::count_if(parts_.begin(), parts_.end(),
                    [block](const std::vector<Part>& parts) { return parts[block].live; }));
}

std::vector<std::vector<double>> TaskGradients::InnerProducts() const {
  const size_t tasks = parts_.size();
  std::vector<std::vector<double>> inner(tasks, std::vector<double>(tasks, 0));
  for (size_t block = 0; block < parts_.front().size(); ++block) {
    if (TasksOf(block) < 2) {
      continue;
    }
    for (size_t i = 0; i < tasks; ++i) {
      for (size_t j = i; j < tasks; ++j) {
        const Part& a = parts_[i][block];
        const Part& b = parts_[j][block];
        if (a.live && b.live) {
          inner[i][j] += BestKernels().dot(a.values.size(), a.values.data(), b.values.data());
          inner[j][i] = inner[i][j];
        }
      }
    }
  }
  return inner;
}

void TaskGradients::WriteTo(uint64_t seed, std::span<const BlockId> places,
                            StepGradients& gradients) const {
  const std::vector<double> multipliers =
      ConflictFreeMultipliers(InnerProducts(), RandomOrders(parts_.size(), seed));
  for (size_t block = 0; block < parts_.front().size(); ++block) {
    const size_t tasks = TasksOf(block);
    if (tasks == 0) {
      continue;
    }
    std::vector<float>& out = gradients.blocks[places[block]];
    std::fill(out.begin(), out.end(), 0.0F);
    for (size_t k = 0; k < parts_.size(); ++k) {
      const Part& part = parts_[k][block];
      if (part.live) {
        const auto factor = static_cast<float>(tasks > 1 ? multipliers[k] : 1);
        BestKernels().axpy(part.values.size(), factor, part.values.data(), out.data());
      }
    }
    gradients.block_present[places[block]] = 1;
  }
}

}  // namespace antiphon
