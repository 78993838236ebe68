// FeatureFitter: what a pass over the training data learns for one feature: the range, mean and
// spread of its numbers, or the vocabulary of its values.
//
// Owned by one thread. The outcome depends on the order of the rows only in the numbers of the
// vocabulary and in the last bits of mean and spread.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "common/data/field_list.h"
#include "common/data/vocabulary.h"
#include "proto/job.pb.h"
#include "proto/plan.pb.h"

namespace antiphon {

class FeatureFitter {
 public:
  // `config` outlives the fitter.
  explicit FeatureFitter(const FeatureConfig& config);

  // One value of a row. A value that makes the row a bad one teaches nothing. An error when the
  // vocabulary grows past what a plan may hold.
  Status Observe(std::string_view value);
  // The same of a value that came as a list.
  Status Observe(const FieldList& list);

  // What was learnt. An error when no row had a value.
  Status Finish(FeatureStatistics& statistics) const;

 private:
  // Running sums of one dimension (Welford 1962: the mean moves, squares are about it).
  struct Dimension {
    double min = 0;
    double max = 0;
    double mean = 0;
    double squares = 0;
  };

  void ObserveNumbers(std::string_view value);
  void AddNumbers();  // those in numbers_
  Status ObserveTags(std::string_view value);
  Status AddToVocabulary(std::string_view value);

  const FeatureConfig& config_;
  uint64_t count_ = 0;
  std::vector<Dimension> dimensions_;
  std::vector<double> numbers_;  // of the row at hand
  Vocabulary vocabulary_;
};

}  // namespace antiphon
