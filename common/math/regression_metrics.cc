#include "common/math/regression_metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace antiphon {
namespace {

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();
constexpr double kLargest = 1e100;

double Finite(double x) {
  return std::isnan(x) ? kLargest : std::clamp(x, -kLargest, kLargest);
}

}  // namespace

void RegressionMetrics::Add(double prediction, double label, double weight) {
  if (!(weight > 0)) {
    return;
  }
  const double predicted = Finite(prediction);
  const double error = predicted - label;
  ++count_;
  weight_ += weight;
  label_ += weight * label;
  predicted_ += weight * predicted;
  squared_error_ += weight * error * error;
  absolute_error_ += weight * std::abs(error);
}

void RegressionMetrics::Merge(const RegressionMetrics& other) {
  count_ += other.count_;
  weight_ += other.weight_;
  label_ += other.label_;
  predicted_ += other.predicted_;
  squared_error_ += other.squared_error_;
  absolute_error_ += other.absolute_error_;
}

void RegressionMetrics::Fade(double factor) {
  weight_ *= factor;
  label_ *= factor;
  predicted_ *= factor;
  squared_error_ *= factor;
  absolute_error_ *= factor;
}

void RegressionMetrics::ToProto(RegressionSums& out) const {
  out.set_count(count_);
  out.set_weight(weight_);
  out.set_label(label_);
  out.set_predicted(predicted_);
  out.set_squared_error(squared_error_);
  out.set_absolute_error(absolute_error_);
}

StatusOr<RegressionMetrics> RegressionMetrics::FromProto(const RegressionSums& in) {
  for (const double sum : {in.weight(), in.squared_error(), in.absolute_error()}) {
    if (!std::isfinite(sum) || sum < 0) {
      return InvalidArgumentError("regression metrics: a sum is negative or not finite");
    }
  }
  if (!std::isfinite(in.label()) || !std::isfinite(in.predicted())) {
    return InvalidArgumentError("regression metrics: a sum is not finite");
  }
  RegressionMetrics metrics;
  metrics.count_ = in.count();
  metrics.weight_ = in.weight();
  metrics.label_ = in.label();
  metrics.predicted_ = in.predicted();
  metrics.squared_error_ = in.squared_error();
  metrics.absolute_error_ = in.absolute_error();
  return metrics;
}

double RegressionMetrics::MeanSquaredError() const {
  return weight_ > 0 ? squared_error_ / weight_ : kUndefined;
}

double RegressionMetrics::MeanAbsoluteError() const {
  return weight_ > 0 ? absolute_error_ / weight_ : kUndefined;
}

double RegressionMetrics::Ratio() const {
  return label_ != 0 ? predicted_ / label_ : kUndefined;
}

}  // namespace antiphon
