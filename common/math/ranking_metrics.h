// RankingMetrics: what is measured of one task in one scene, as sums that merge in any order.
//
// AUC comes from a histogram of logits, 4096 buckets on [-20, 20]: linear buckets of probability
// lose rare tasks altogether, these err by about 1e-5. While the set is small (kMaxExactPairs
// samples, all of weight 1) every (logit, label) pair is kept as well and AUC is exact. Ties count
// one half. GAUC is the AUC inside each user, averaged over the users that have both labels; it
// keeps every pair of every user and ignores weights.
//
// What is not defined is NaN: the AUC of one class, PCOC without a positive, anything of no sample.
// Owned: one thread uses an object; objects of several threads are merged.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "common/base/status.h"
#include "proto/metrics.pb.h"

namespace antiphon {

inline constexpr size_t kLogitBuckets = 4096;
inline constexpr double kLogitLimit = 20;
inline constexpr size_t kMaxExactPairs = 16384;

// How GAUC weighs a user: all the same, by samples, by positives.
enum class GaucReduction { kMean, kMeanBySampleNum, kMeanByPositiveNum };

class RankingMetrics {
 public:
  // One prediction of a known label. A weight of 0 is no sample at all; a logit that is not finite
  // is our own mistake and counts as the limit of its sign, NaN as 0.
  void Add(float logit, bool positive, double weight = 1);
  // As Add, and a pair for GAUC.
  void AddForUser(uint64_t user, float logit, bool positive, double weight = 1);

  void Merge(const RankingMetrics& other);

  // Multiplies every weight; count() stays the number of samples that were ever added. Pairs, and
  // with them exact AUC and GAUC, are gone afterwards.
  void Fade(double factor);

  // Adds all sums to the fields of `out`; `out.task` and `out.scene` are the caller's.
  void ToProto(TaskMetrics& out) const;
  // InvalidArgument when the message contradicts itself. It may come from outside.
  static StatusOr<RankingMetrics> FromProto(const TaskMetrics& in);

  uint64_t count() const { return count_; }
  double weight() const { return weight_; }
  double positives() const { return positives_; }
  bool has_users() const { return !users_.empty(); }

  double Auc() const;  // exact where every pair is at hand, else HistogramAuc
  double HistogramAuc() const;
  double LogLoss() const;   // mean
  double BaseRate() const;  // share of positives
  double Ne() const;        // log loss over the entropy of the base rate
  double Pcoc() const;      // predicted over actual positives
  double Gauc(GaucReduction reduction) const;

 private:
  struct Pair {
    float logit = 0;
    bool positive = false;
  };

  // From pairs in any order; NaN unless both classes are there.
  static double ExactAuc(std::vector<Pair> pairs);
  bool exact() const { return pairs_.size() == count_; }
  void AddToBucket(size_t bucket, double negative, double positive);
  void DropPairsUnlessComplete();

  uint64_t count_ = 0;
  double weight_ = 0;
  double positives_ = 0;
  double predicted_ = 0;                 // sum of probabilities
  double loss_ = 0;                      // sum of log losses
  std::vector<double> bucket_negative_;  // empty until the first sample
  std::vector<double> bucket_positive_;
  std::vector<Pair> pairs_;  // all of them, or none once they are too many or weighted
  std::unordered_map<uint64_t, std::vector<Pair>> users_;
};

}  // namespace antiphon
