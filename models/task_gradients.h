// TaskGradients: the gradients of the dense blocks task by task, and how PCGrad (Yu et al. 2020,
// algorithm 1) makes one update of them.
//
// Only blocks that several tasks reach are projected; a tower's gradient stays what it is. All
// projections are linear in the original gradients, so it is enough to know their inner products:
// the update of the shared blocks is sum_c m_c G_c with one multiplier a task. One object a slice
// of the batch. Owned: one thread at a time; keeps its memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "common/base/types.h"
#include "models/step.h"
#include "models/tape/tape.h"

namespace antiphon {

// inner[i][j] = <G_i, G_j>; order[i] lists the tasks in the order in which conflicts with them are
// taken out of G_i. Returns m.
std::vector<double> ConflictFreeMultipliers(const std::vector<std::vector<double>>& inner,
                                            const std::vector<std::vector<size_t>>& order);

class TaskGradients {
 public:
  // Forgets what it has.
  void Start(size_t tasks, size_t blocks);

  // Adds what lies in `blocks` to the gradient of task k; the buffers are not live any more.
  void Take(size_t k, std::span<GradBuffer<float>> blocks);

  // Adds another slice's.
  void Add(const TaskGradients& other);

  // Writes every block that a task reaches to its place, places[block], and marks it present. The
  // order of the tasks is random and follows from `seed`.
  void WriteTo(uint64_t seed, std::span<const BlockId> places, StepGradients& gradients) const;

 private:
  struct Part {
    bool live = false;
    std::vector<float> values;
  };

  void AddTo(Part& part, std::span<const float> values) const;
  size_t TasksOf(size_t block) const;
  std::vector<std::vector<double>> InnerProducts() const;

  std::vector<std::vector<Part>> parts_;  // [task][block]
};

}  // namespace antiphon
