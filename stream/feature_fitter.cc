#include "stream/feature_fitter.h"

#include <algorithm>
#include <cmath>

#include "common/data/feature_columns.h"
#include "common/data/feature_transform.h"
#include "common/data/number_text.h"
#include "common/data/tag_cursor.h"

namespace antiphon {
namespace {

// The plan with all vocabularies has to fit into one message.
constexpr uint32_t kMaxVocabulary = 4'000'000;

}  // namespace

FeatureFitter::FeatureFitter(const FeatureConfig& config)
    : config_(config),
      dimensions_(IsCategorical(config) ? 0 : config.raw_input_dim()),
      numbers_(dimensions_.size()) {}

Status FeatureFitter::Observe(std::string_view value) {
  if (!IsCategorical(config_)) {
    ObserveNumbers(value);
    return Status();
  }
  if (value.empty()) {
    return Status();
  }
  return HasSeveralValues(config_) ? ObserveTags(value) : AddToVocabulary(value);
}

Status FeatureFitter::Observe(const FieldList& list) {
  if (!IsCategorical(config_)) {
    const bool is_finite = std::all_of(list.numbers.begin(), list.numbers.end(),
                                       [](double x) { return std::isfinite(x); });
    if (list.numbers.size() == numbers_.size() && is_finite) {
      std::copy(list.numbers.begin(), list.numbers.end(), numbers_.begin());
      AddNumbers();
    }
    return Status();
  }
  for (std::string_view text : list.texts) {
    if (HasSeveralValues(config_)) {
      TakeTagWeight(text, config_.kv_separator());
    }
    if (!text.empty()) {
      AP_RETURN_IF_ERROR(AddToVocabulary(text));
    }
  }
  return Status();
}

Status FeatureFitter::ObserveTags(std::string_view value) {
  TagCursor tags(value, config_.separator());
  std::string_view tag;
  while (tags.Next(tag)) {
    TakeTagWeight(tag, config_.kv_separator());
    AP_RETURN_IF_ERROR(AddToVocabulary(tag));
  }
  return Status();
}

Status FeatureFitter::AddToVocabulary(std::string_view value) {
  ++count_;
  if (vocabulary_.Add(value) >= kMaxVocabulary) {
    return ResourceExhaustedError("feature \"" + FeatureName(config_) + "\" has more than " +
                                  std::to_string(kMaxVocabulary) +
                                  " values, too many for vocab_from_data; leave it out and the "
                                  "values are hashed");
  }
  return Status();
}

void FeatureFitter::ObserveNumbers(std::string_view value) {
  for (size_t i = 0; i < numbers_.size(); ++i) {
    const bool is_last = i + 1 == numbers_.size();
    const size_t end = is_last ? value.size() : value.find(config_.separator());
    if (end == std::string_view::npos ||
        ReadNumber(value.substr(0, end), numbers_[i]) != BadRowReason::kNone) {
      return;
    }
    value.remove_prefix(is_last ? end : end + config_.separator().size());
  }
  AddNumbers();
}

void FeatureFitter::AddNumbers() {
  ++count_;
  for (size_t i = 0; i < numbers_.size(); ++i) {
    const double x = BeforeFitting(config_, numbers_[i]);
    Dimension& dimension = dimensions_[i];
    dimension.min = count_ == 1 ? x : std::min(dimension.min, x);
    dimension.max = count_ == 1 ? x : std::max(dimension.max, x);
    const double distance = x - dimension.mean;
    dimension.mean += distance / static_cast<double>(count_);
    dimension.squares += distance * (x - dimension.mean);
  }
}

Status FeatureFitter::Finish(FeatureStatistics& statistics) const {
  if (count_ == 0) {
    return InvalidArgumentError("feature \"" + FeatureName(config_) +
                                "\": no row of the training data has a value to learn from, "
                                "expected at least one; give its statistics or vocabulary");
  }
  for (const Dimension& dimension : dimensions_) {
    statistics.add_min_val(dimension.min);
    statistics.add_max_val(dimension.max);
    statistics.add_mean_val(dimension.mean);
    statistics.add_stddev_val(std::sqrt(dimension.squares / static_cast<double>(count_)));
  }
  for (uint32_t i = 0; i < vocabulary_.size(); ++i) {
    statistics.add_vocabulary(std::string(vocabulary_[i]));
  }
  return Status();
}

}  // namespace antiphon
