// Rng: a small seeded random number generator (xoshiro256**, Blackman and Vigna 2018).
//
// The stream for a seed is frozen: initial values, shuffles and simulations must not change with a
// compiler or a library. Owned by one thread.
#pragma once

#include <cstdint>

namespace antiphon {

class Rng {
 public:
  explicit Rng(uint64_t seed);

  uint64_t Next();
  // Uniform in [0, n); n > 0.
  uint64_t Below(uint64_t n);
  // Uniform in [0, 1), 53 bits.
  double Uniform();
  // Normal with mean 0 and deviation 1 (Box-Muller, one value a call).
  double Normal();
  bool Chance(double probability) { return Uniform() < probability; }

 private:
  uint64_t state_[4];
};

}  // namespace antiphon
