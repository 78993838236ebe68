#include "common/math/ranking_metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

namespace antiphon {
namespace {

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

size_t BucketOf(double logit) {
  const double position =
      std::floor((logit + kLogitLimit) / (2 * kLogitLimit) * static_cast<double>(kLogitBuckets));
  return static_cast<size_t>(std::clamp(position, 0.0, static_cast<double>(kLogitBuckets - 1)));
}

float Finite(float logit) {
  if (std::isnan(logit)) {
    return 0;
  }
  const float largest = std::numeric_limits<float>::max();
  return std::clamp(logit, -largest, largest);
}

double Softplus(double a) {
  return std::max(a, 0.0) + std::log1p(std::exp(-std::abs(a)));
}

bool IsSum(double x) {
  return std::isfinite(x) && x >= 0;
}

Status CheckShape(const TaskMetrics& in) {
  if (in.bucket_size() != in.negative_size() || in.bucket_size() != in.positive_size()) {
    return InvalidArgumentError("task metrics: " + std::to_string(in.bucket_size()) +
                                " buckets, but " + std::to_string(in.negative_size()) +
                                " negative and " + std::to_string(in.positive_size()) +
                                " positive sums");
  }
  if (in.logit_size() != in.label_size()) {
    return InvalidArgumentError("task metrics: " + std::to_string(in.logit_size()) +
                                " logits, but " + std::to_string(in.label_size()) + " labels");
  }
  for (const UserPairs& user : in.users()) {
    if (user.logit_size() != user.label_size()) {
      return InvalidArgumentError("task metrics: a user with " + std::to_string(user.logit_size()) +
                                  " logits, but " + std::to_string(user.label_size()) + " labels");
    }
  }
  if (!IsSum(in.weight()) || !IsSum(in.positives()) || !IsSum(in.predicted()) ||
      !IsSum(in.loss())) {
    return InvalidArgumentError("task metrics: a sum is negative or not finite");
  }
  return Status();
}

}  // namespace

void RankingMetrics::Add(float logit, bool positive, double weight) {
  if (!(weight > 0)) {
    return;
  }
  const float a = Finite(logit);
  const bool was_exact = exact();
  ++count_;
  weight_ += weight;
  positives_ += positive ? weight : 0;
  predicted_ += weight / (1 + std::exp(-static_cast<double>(a)));
  loss_ += weight * (Softplus(a) - (positive ? static_cast<double>(a) : 0.0));
  AddToBucket(BucketOf(a), positive ? 0 : weight, positive ? weight : 0);
  if (was_exact && weight == 1) {
    pairs_.push_back({a, positive});
  }
  DropPairsUnlessComplete();
}

void RankingMetrics::AddForUser(uint64_t user, float logit, bool positive, double weight) {
  Add(logit, positive, weight);
  if (weight > 0) {
    users_[user].push_back({Finite(logit), positive});
  }
}

void RankingMetrics::Merge(const RankingMetrics& other) {
  const bool both_exact = exact() && other.exact();
  count_ += other.count_;
  weight_ += other.weight_;
  positives_ += other.positives_;
  predicted_ += other.predicted_;
  loss_ += other.loss_;
  for (size_t i = 0; i < other.bucket_negative_.size(); ++i) {
    AddToBucket(i, other.bucket_negative_[i], other.bucket_positive_[i]);
  }
  if (both_exact && count_ <= kMaxExactPairs) {
    pairs_.insert(pairs_.end(), other.pairs_.begin(), other.pairs_.end());
  }
  DropPairsUnlessComplete();
  for (const auto& [user, pairs] : other.users_) {
    std::vector<Pair>& mine = users_[user];
    mine.insert(mine.end(), pairs.begin(), pairs.end());
  }
}

void RankingMetrics::Fade(double factor) {
  weight_ *= factor;
  positives_ *= factor;
  predicted_ *= factor;
  loss_ *= factor;
  for (double& negative : bucket_negative_) {
    negative *= factor;
  }
  for (double& positive : bucket_positive_) {
    positive *= factor;
  }
  pairs_ = std::vector<Pair>();
  users_.clear();
}

void RankingMetrics::AddToBucket(size_t bucket, double negative, double positive) {
  if (bucket_negative_.empty()) {
    bucket_negative_.resize(kLogitBuckets);
    bucket_positive_.resize(kLogitBuckets);
  }
  bucket_negative_[bucket] += negative;
  bucket_positive_[bucket] += positive;
}

void RankingMetrics::DropPairsUnlessComplete() {
  if (!exact() || pairs_.size() > kMaxExactPairs) {
    pairs_ = std::vector<Pair>();
  }
}

void RankingMetrics::ToProto(TaskMetrics& out) const {
  out.set_count(count_);
  out.set_weight(weight_);
  out.set_positives(positives_);
  out.set_predicted(predicted_);
  out.set_loss(loss_);
  for (size_t i = 0; i < bucket_negative_.size(); ++i) {
    if (bucket_negative_[i] > 0 || bucket_positive_[i] > 0) {
      out.add_bucket(static_cast<uint32_t>(i));
      out.add_negative(bucket_negative_[i]);
      out.add_positive(bucket_positive_[i]);
    }
  }
  for (const Pair& pair : pairs_) {
    out.add_logit(pair.logit);
    out.add_label(pair.positive);
  }
  for (const auto& [user, pairs] : users_) {
    UserPairs* entry = out.add_users();
    entry->set_user(user);
    for (const Pair& pair : pairs) {
      entry->add_logit(pair.logit);
      entry->add_label(pair.positive);
    }
  }
}

StatusOr<RankingMetrics> RankingMetrics::FromProto(const TaskMetrics& in) {
  AP_RETURN_IF_ERROR(CheckShape(in));
  RankingMetrics metrics;
  metrics.count_ = in.count();
  metrics.weight_ = in.weight();
  metrics.positives_ = in.positives();
  metrics.predicted_ = in.predicted();
  metrics.loss_ = in.loss();
  for (int i = 0; i < in.bucket_size(); ++i) {
    if (in.bucket(i) >= kLogitBuckets || !IsSum(in.negative(i)) || !IsSum(in.positive(i))) {
      return InvalidArgumentError("task metrics: bucket " + std::to_string(in.bucket(i)) +
                                  " is not below " + std::to_string(kLogitBuckets) +
                                  " or its sums are not");
    }
    metrics.AddToBucket(in.bucket(i), in.negative(i), in.positive(i));
  }
  for (int i = 0; i < in.logit_size(); ++i) {
    metrics.pairs_.push_back({Finite(in.logit(i)), in.label(i)});
  }
  metrics.DropPairsUnlessComplete();
  for (const UserPairs& user : in.users()) {
    std::vector<Pair>& pairs = metrics.users_[user.user()];
    for (int i = 0; i < user.logit_size(); ++i) {
      pairs.push_back({Finite(user.logit(i)), user.label(i)});
    }
  }
  return metrics;
}

double RankingMetrics::Auc() const {
  return exact() ? ExactAuc(pairs_) : HistogramAuc();
}

double RankingMetrics::HistogramAuc() const {
  double true_positives = 0;
  double false_positives = 0;
  double area = 0;
  for (size_t i = bucket_negative_.size(); i-- > 0;) {
    area += bucket_negative_[i] * (2 * true_positives + bucket_positive_[i]) / 2;
    true_positives += bucket_positive_[i];
    false_positives += bucket_negative_[i];
  }
  const double pairs = true_positives * false_positives;
  return pairs > 0 ? area / pairs : kUndefined;
}

double RankingMetrics::ExactAuc(std::vector<Pair> pairs) {
  std::sort(pairs.begin(), pairs.end(),
            [](const Pair& a, const Pair& b) { return a.logit > b.logit; });
  uint64_t positives = 0;
  uint64_t negatives = 0;
  uint64_t twice_area = 0;  // whole numbers: the order of equal logits cannot show
  for (size_t i = 0; i < pairs.size();) {
    uint64_t tied_positives = 0;
    uint64_t tied_negatives = 0;
    size_t end = i;
    for (; end < pairs.size() && pairs[end].logit == pairs[i].logit; ++end) {
      ++(pairs[end].positive ? tied_positives : tied_negatives);
    }
    twice_area += tied_negatives * (2 * positives + tied_positives);
    positives += tied_positives;
    negatives += tied_negatives;
    i = end;
  }
  if (positives == 0 || negatives == 0) {
    return kUndefined;
  }
  return static_cast<double>(twice_area) /
         (2 * static_cast<double>(positives) * static_cast<double>(negatives));
}

double RankingMetrics::LogLoss() const {
  return weight_ > 0 ? loss_ / weight_ : kUndefined;
}

double RankingMetrics::BaseRate() const {
  return weight_ > 0 ? positives_ / weight_ : kUndefined;
}

double RankingMetrics::Ne() const {
  const double base = BaseRate();
  if (!(base > 0 && base < 1)) {
    return kUndefined;
  }
  return LogLoss() / -(base * std::log(base) + (1 - base) * std::log1p(-base));
}

double RankingMetrics::Pcoc() const {
  return positives_ > 0 ? predicted_ / positives_ : kUndefined;
}

double RankingMetrics::Gauc(GaucReduction reduction) const {
  // In order of the user id, so that the sum does not depend on the hash table's order.
  std::vector<std::pair<uint64_t, const std::vector<Pair>*>> users;
  users.reserve(users_.size());
  for (const auto& [user, pairs] : users_) {
    users.emplace_back(user, &pairs);
  }
  std::sort(users.begin(), users.end());
  double total = 0;
  double total_weight = 0;
  for (const auto& [user, pairs] : users) {
    const double auc = ExactAuc(*pairs);
    if (std::isnan(auc)) {
      continue;
    }
    double weight = 1;
    if (reduction == GaucReduction::kMeanBySampleNum) {
      weight = static_cast<double>(pairs->size());
    } else if (reduction == GaucReduction::kMeanByPositiveNum) {
      weight = static_cast<double>(std::count_if(pairs->begin(), pairs->end(),
                                                 [](const Pair& pair) { return pair.positive; }));
    }
    total += weight * auc;
    total_weight += weight;
  }
  return total_weight > 0 ? total / total_weight : kUndefined;
}

}  // namespace antiphon
