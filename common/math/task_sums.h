// TaskSums: what is measured of one task in one scene. A task fills one of the three, by what it
// learns: a probability, a number or an order. Owned, as its parts.
#pragma once

#include <cstdint>

#include "common/base/status.h"
#include "common/math/pair_metrics.h"
#include "common/math/ranking_metrics.h"
#include "common/math/regression_metrics.h"
#include "proto/metrics.pb.h"

namespace antiphon {

struct TaskSums {
  RankingMetrics probability;
  RegressionMetrics number;
  PairMetrics order;

  uint64_t count() const { return probability.count() + number.count() + order.count(); }

  void Merge(const TaskSums& other) {
    probability.Merge(other.probability);
    number.Merge(other.number);
    order.Merge(other.order);
  }

  // Multiplies every weight, see RankingMetrics::Fade.
  void Fade(double factor) {
    probability.Fade(factor);
    number.Fade(factor);
    order.Fade(factor);
  }

  // `out.task` and `out.scene` are the caller's.
  void ToProto(TaskMetrics& out) const {
    probability.ToProto(out);
    if (number.count() > 0) {
      number.ToProto(*out.mutable_regression());
    }
    if (order.count() > 0) {
      order.ToProto(*out.mutable_pairs());
    }
  }

  // InvalidArgument when the message contradicts itself. It may come from outside.
  static StatusOr<TaskSums> FromProto(const TaskMetrics& in) {
    TaskSums sums;
    AP_ASSIGN_OR_RETURN(sums.probability, RankingMetrics::FromProto(in));
    AP_ASSIGN_OR_RETURN(sums.number, RegressionMetrics::FromProto(in.regression()));
    AP_ASSIGN_OR_RETURN(sums.order, PairMetrics::FromProto(in.pairs()));
    return sums;
  }
};

}  // namespace antiphon
