// StepComputer: the seam between the training protocol and the model, faked where a test is about
// who trains what rather than about what is learnt. Called by the training thread only.
#pragma once

#include <cstdint>

#include "models/step.h"

namespace antiphon {

class StepComputer {
 public:
  virtual ~StepComputer() = default;

  // Forward and backward. `seed` decides what dropout drops: the same batch drops the same.
  virtual void Train(const StepInput& input, uint64_t seed, StepGradients& gradients,
                     StepOutput& output) = 0;

  // Forward only.
  virtual void Score(const StepInput& input, StepOutput& output) = 0;
};

}  // namespace antiphon
