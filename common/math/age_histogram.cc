#include "common/math/age_histogram.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

namespace antiphon {

size_t AgeHistogram::BucketOf(int64_t age_ms) {
  if (age_ms <= 0) {
    return 0;
  }
  const double bucket = std::ceil(4 * std::log2(static_cast<double>(age_ms) + 1));
  return std::min(kBuckets - 1, static_cast<size_t>(bucket));
}

double AgeHistogram::LimitOf(size_t bucket) {
  return std::exp2(static_cast<double>(bucket) / 4) - 1;
}

void AgeHistogram::Add(int64_t age_ms, uint64_t count) {
  counts_[BucketOf(age_ms)] += count;
  count_ += count;
}

void AgeHistogram::Merge(const AgeHistogram& other) {
  for (size_t i = 0; i < kBuckets; ++i) {
    counts_[i] += other.counts_[i];
  }
  count_ += other.count_;
}

void AgeHistogram::MergeOlder(const AgeHistogram& other, int64_t by_ms) {
  if (by_ms <= 0) {
    Merge(other);
    return;
  }
  for (size_t i = 0; i < kBuckets; ++i) {
    if (other.counts_[i] > 0) {
      const double middle = i == 0 ? 0 : (LimitOf(i - 1) + LimitOf(i)) / 2;
      Add(std::llround(middle) + by_ms, other.counts_[i]);
    }
  }
}

void AgeHistogram::ToProto(SampleAges& out) const {
  for (size_t i = 0; i < kBuckets; ++i) {
    if (counts_[i] > 0) {
      out.add_bucket(static_cast<uint32_t>(i));
      out.add_count(counts_[i]);
    }
  }
}

StatusOr<AgeHistogram> AgeHistogram::FromProto(const SampleAges& in) {
  if (in.bucket_size() != in.count_size()) {
    return InvalidArgumentError("sample ages: " + std::to_string(in.bucket_size()) +
                                " buckets and " + std::to_string(in.count_size()) + " counts");
  }
  AgeHistogram ages;
  for (int i = 0; i < in.bucket_size(); ++i) {
    if (in.bucket(i) >= kBuckets) {
      return InvalidArgumentError("sample ages: bucket " + std::to_string(in.bucket(i)) +
                                  " is not below " + std::to_string(kBuckets));
    }
    ages.counts_[in.bucket(i)] += in.count(i);
    ages.count_ += in.count(i);
  }
  return ages;
}

double AgeHistogram::Quantile(double q) const {
  if (count_ == 0) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  const double wanted = q * static_cast<double>(count_);
  double below = 0;
  for (size_t i = 0; i < kBuckets; ++i) {
    below += static_cast<double>(counts_[i]);
    if (below >= wanted && counts_[i] > 0) {
      return LimitOf(i);
    }
  }
  return LimitOf(kBuckets - 1);
}

}  // namespace antiphon
