// RegressionMetrics: what is measured of a task that learns a number, as sums that merge in any
// order. What is not defined is NaN. Owned: one thread uses an object; objects of several threads
// are merged.
#pragma once

#include <cstdint>

#include "common/base/status.h"
#include "proto/metrics.pb.h"

namespace antiphon {

class RegressionMetrics {
 public:
  // A weight of 0 is no sample at all. A prediction that is not finite counts as the largest number
  // whose square a double can hold many of.
  void Add(double prediction, double label, double weight = 1);

  void Merge(const RegressionMetrics& other);

  // Multiplies every weight; count() stays the number of samples that were ever added.
  void Fade(double factor);

  void ToProto(RegressionSums& out) const;
  // InvalidArgument when the message contradicts itself. It may come from outside.
  static StatusOr<RegressionMetrics> FromProto(const RegressionSums& in);

  uint64_t count() const { return count_; }

  double MeanSquaredError() const;
  double MeanAbsoluteError() const;
  // Predicted over actual sum: 1 where the predictions have the right level.
  double Ratio() const;

 private:
  uint64_t count_ = 0;
  double weight_ = 0;
  double label_ = 0;  // sums, weighted
  double predicted_ = 0;
  double squared_error_ = 0;
  double absolute_error_ = 0;
};

}  // namespace antiphon
