// LatencyHistogram: durations in buckets that grow by a tenth, so that a quantile is right to 5 %.
//
// Owned by one thread, or guarded by who has it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace antiphon {

class LatencyHistogram {
 public:
  void Add(double seconds);

  uint64_t count() const { return count_; }
  double sum_seconds() const { return sum_; }
  // Of 0 < q <= 1: at least that share of all took no longer. 0 while there is none.
  double Quantile(double q) const;

 private:
  // From a microsecond to 28 hours; what is shorter or longer counts as that.
  static constexpr size_t kBuckets = 266;

  std::array<uint64_t, kBuckets> buckets_ = {};
  uint64_t count_ = 0;
  double sum_ = 0;
};

}  // namespace antiphon
