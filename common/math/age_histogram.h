// AgeHistogram: how old things were, as counts that merge in any order: four buckets for each
// doubling, so a quantile is right to about a fifth of itself. Owned by one thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "common/base/status.h"
#include "proto/metrics.pb.h"

namespace antiphon {

class AgeHistogram {
 public:
  // An age below 0 (clocks differ) counts as 0.
  void Add(int64_t age_ms, uint64_t count = 1);
  void Merge(const AgeHistogram& other);
  // The same things, each `by_ms` later, or as they are when that is not above 0. A bucket is taken
  // for its middle: what is aged once, and not step by step, stays right to about a fifth.
  void MergeOlder(const AgeHistogram& other, int64_t by_ms);

  void ToProto(SampleAges& out) const;
  // InvalidArgument for a bucket that does not exist. The message may come from outside.
  static StatusOr<AgeHistogram> FromProto(const SampleAges& in);

  uint64_t count() const { return count_; }
  // The age in ms that a share `q` of what was added does not exceed; NaN when nothing was.
  double Quantile(double q) const;

 private:
  // Up to 2^40 ms, 34 years.
  static constexpr size_t kBuckets = 4 * 40 + 1;

  static size_t BucketOf(int64_t age_ms);
  // The largest age of a bucket.
  static double LimitOf(size_t bucket);

  std::array<uint64_t, kBuckets> counts_{};
  uint64_t count_ = 0;
};

}  // namespace antiphon
