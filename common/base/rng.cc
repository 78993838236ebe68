#include "common/base/rng.h"

#include <bit>
#include <cmath>

#include "common/base/hash.h"

namespace antiphon {

Rng::Rng(uint64_t seed) {
  // SplitMix64, as the authors of xoshiro advise for filling its state.
  for (uint64_t& word : state_) {
    seed += 0x9e3779b97f4a7c15ULL;
    word = Mix64(seed);
  }
}

uint64_t Rng::Next() {
  const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

uint64_t Rng::Below(uint64_t n) {
  return ReduceRange(Next(), n);
}

double Rng::Uniform() {
  return static_cast<double>(Next() >> 11) * 0x1.0p-53;
}

double Rng::Normal() {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - Uniform()));
  return radius * std::cos(2.0 * M_PI * Uniform());
}

}  // namespace antiphon
