#include "tools/score/latency_histogram.h"

#include <algorithm>
#include <cmath>

namespace antiphon {
namespace {

constexpr double kShortest = 1e-6;
constexpr double kGrowth = 1.1;

}  // namespace

void LatencyHistogram::Add(double seconds) {
  const double steps = std::log(std::max(seconds, kShortest) / kShortest) / std::log(kGrowth);
  ++buckets_[std::min(static_cast<size_t>(steps), kBuckets - 1)];
  ++count_;
  sum_ += seconds;
}

double LatencyHistogram::Quantile(double q) const {
  const auto wanted = static_cast<uint64_t>(std::ceil(q * static_cast<double>(count_)));
  uint64_t seen = 0;
  for (size_t i = 0; i < kBuckets && count_ > 0; ++i) {
    seen += buckets_[i];
    if (seen >= wanted) {
      return kShortest * std::pow(kGrowth, static_cast<double>(i) + 0.5);
    }
  }
  return 0;
}

}  // namespace antiphon
