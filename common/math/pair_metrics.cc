#include "common/math/pair_metrics.h"

#include <cmath>
#include <limits>

namespace antiphon {

void PairMetrics::Add(std::span<const Sample> request) {
  samples_ += request.size();
  for (const Sample& better : request) {
    for (const Sample& worse : request) {
      if (better.label > worse.label) {
        pairs_ += 1;
        in_order_ += better.score > worse.score ? 1 : better.score == worse.score ? 0.5 : 0;
      }
    }
  }
}

void PairMetrics::Merge(const PairMetrics& other) {
  samples_ += other.samples_;
  pairs_ += other.pairs_;
  in_order_ += other.in_order_;
}

void PairMetrics::Fade(double factor) {
  pairs_ *= factor;
  in_order_ *= factor;
}

void PairMetrics::ToProto(PairSums& out) const {
  out.set_samples(samples_);
  out.set_pairs(pairs_);
  out.set_in_order(in_order_);
}

StatusOr<PairMetrics> PairMetrics::FromProto(const PairSums& in) {
  if (!(in.in_order() >= 0 && in.in_order() <= in.pairs() && std::isfinite(in.pairs()))) {
    return InvalidArgumentError("pair metrics: " + std::to_string(in.in_order()) + " of " +
                                std::to_string(in.pairs()) + " pairs in order");
  }
  PairMetrics metrics;
  metrics.samples_ = in.samples();
  metrics.pairs_ = in.pairs();
  metrics.in_order_ = in.in_order();
  return metrics;
}

double PairMetrics::Accuracy() const {
  return pairs_ > 0 ? in_order_ / pairs_ : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace antiphon
