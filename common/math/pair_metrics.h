// PairMetrics: how often the samples of a request are scored in the order of their labels, as sums
// that merge in any order. It is the AUC inside each request where labels are 0 and 1. Owned: one
// thread uses an object; objects of several threads are merged.
#pragma once

#include <cstdint>
#include <span>

#include "common/base/status.h"
#include "proto/metrics.pb.h"

namespace antiphon {

class PairMetrics {
 public:
  struct Sample {
    float score = 0;
    float label = 0;
  };

  // All samples of one request with a known label.
  void Add(std::span<const Sample> request);

  void Merge(const PairMetrics& other);

  // Multiplies the weight of every pair; count() stays the number of samples that were ever added.
  void Fade(double factor);

  void ToProto(PairSums& out) const;
  // InvalidArgument when the message contradicts itself. It may come from outside.
  static StatusOr<PairMetrics> FromProto(const PairSums& in);

  uint64_t count() const { return samples_; }

  // The share of pairs with different labels that are in order, ties one half; NaN without a pair.
  double Accuracy() const;

 private:
  uint64_t samples_ = 0;
  double pairs_ = 0;
  double in_order_ = 0;
};

}  // namespace antiphon
