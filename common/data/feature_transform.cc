#include "common/data/feature_transform.h"

#include <algorithm>
#include <cmath>

#include "common/base/hash.h"
#include "common/data/feature_columns.h"
#include "common/data/number_text.h"
#include "common/data/tag_cursor.h"

namespace antiphon {
namespace {

bool HasNormalizer(const FeatureConfig& config, FeatureConfig::Normalizer normalizer) {
  return std::find(config.normalizers().begin(), config.normalizers().end(), normalizer) !=
         config.normalizers().end();
}

double Log1p(double x) {
  return std::log1p(std::max(x, 0.0));
}

// The given value for every dimension, or the fitted one of each.
StatusOr<std::vector<double>> GivenOrFitted(bool is_given, double given,
                                            const google::protobuf::RepeatedField<double>& fitted,
                                            uint32_t dimensions) {
  if (is_given) {
    return std::vector<double>(dimensions, given);
  }
  if (static_cast<uint32_t>(fitted.size()) != dimensions) {
    return InvalidArgumentError("the plan has statistics of " + std::to_string(fitted.size()) +
                                " dimensions, expected " + std::to_string(dimensions));
  }
  return std::vector<double>(fitted.begin(), fitted.end());
}

}  // namespace

double BeforeFitting(const FeatureConfig& config, double x) {
  return HasNormalizer(config, FeatureConfig::LOG1P) ? Log1p(x) : x;
}

StatusOr<FeatureTransform> FeatureTransform::Create(const FeatureConfig& config,
                                                    const FeatureStatistics& statistics) {
  FeatureTransform transform;
  transform.separator_ = config.separator();
  if (!IsCategorical(config)) {
    AP_RETURN_IF_ERROR(transform.FitNumbers(config, statistics)
                           .WithContext("feature \"" + FeatureName(config) + "\""));
    return transform;
  }
  transform.is_tags_ = config.feature_type() == FeatureConfig::TagFeature;
  transform.is_sequence_ = config.feature_type() == FeatureConfig::SequenceFeature;
  transform.kv_separator_ = config.kv_separator();
  transform.max_values_ = config.max_values();
  transform.hash_seed_ = HashBytes(TableName(config));
  if (config.boundaries_size() > 0) {
    transform.source_ = IdSource::kBoundaries;
    transform.boundaries_.assign(config.boundaries().begin(), config.boundaries().end());
  } else if (config.has_hash_bucket_size()) {
    transform.source_ = IdSource::kHashBuckets;
    transform.buckets_ = config.hash_bucket_size();
  } else if (config.has_num_buckets()) {
    transform.source_ = IdSource::kValue;
    transform.buckets_ = config.num_buckets();
  } else if (config.vocab_list_size() > 0) {
    transform.source_ = IdSource::kVocabulary;
    for (const std::string& entry : config.vocab_list()) {
      transform.vocabulary_.Add(entry);
    }
  } else if (config.vocab_from_data() || config.has_vocab_file()) {
    transform.source_ = IdSource::kVocabulary;
    for (const std::string& entry : statistics.vocabulary()) {
      transform.vocabulary_.Add(entry);
    }
  }
  return transform;
}

Status FeatureTransform::FitNumbers(const FeatureConfig& config,
                                    const FeatureStatistics& statistics) {
  const uint32_t dimensions = config.raw_input_dim();
  log1p_ = HasNormalizer(config, FeatureConfig::LOG1P);
  shift_.assign(dimensions, 0);
  scale_.assign(dimensions, 1);
  if (HasNormalizer(config, FeatureConfig::MIN_MAX)) {
    clip_ = true;
    AP_ASSIGN_OR_RETURN(shift_, GivenOrFitted(config.has_min_val(), config.min_val(),
                                              statistics.min_val(), dimensions));
    AP_ASSIGN_OR_RETURN(scale_, GivenOrFitted(config.has_max_val(), config.max_val(),
                                              statistics.max_val(), dimensions));
    for (size_t i = 0; i < dimensions; ++i) {
      scale_[i] -= shift_[i];
    }
  } else if (HasNormalizer(config, FeatureConfig::STANDARD)) {
    AP_ASSIGN_OR_RETURN(shift_, GivenOrFitted(config.has_mean_val(), config.mean_val(),
                                              statistics.mean_val(), dimensions));
    AP_ASSIGN_OR_RETURN(scale_, GivenOrFitted(config.has_stddev_val(), config.stddev_val(),
                                              statistics.stddev_val(), dimensions));
  } else {
    return Status();
  }
  for (double& scale : scale_) {
    // A column that never changes says nothing: its value is 0.
    scale = scale > 0 ? 1 / scale : 0;
  }
  return Status();
}

BadRowReason FeatureTransform::AppendKeys(std::string_view value, SparseColumn& column) const {
  if (value.empty()) {
    return BadRowReason::kNone;
  }
  if (is_sequence_) {
    return AppendSequence(value, column);
  }
  return is_tags_ ? AppendTags(value, column) : AppendKey(value, column);
}

// The newest stand last, and only max_values of them stay.
BadRowReason FeatureTransform::AppendSequence(std::string_view value, SparseColumn& column) const {
  const size_t begin = column.keys.size();
  TagCursor items(value, separator_);
  std::string_view item;
  while (items.Next(item)) {
    const BadRowReason reason = AppendKey(item, column);
    if (reason != BadRowReason::kNone) {
      return reason;
    }
  }
  DropOldest(begin, column);
  return BadRowReason::kNone;
}

void FeatureTransform::DropOldest(size_t begin, SparseColumn& column) const {
  const size_t count = column.keys.size() - begin;
  if (count > max_values_) {
    const auto oldest = column.keys.begin() + static_cast<ptrdiff_t>(begin);
    column.keys.erase(oldest, oldest + static_cast<ptrdiff_t>(count - max_values_));
  }
}

BadRowReason FeatureTransform::AppendKeys(std::span<const std::string_view> values,
                                          SparseColumn& column) const {
  if (!is_sequence_ && values.size() > (is_tags_ ? max_values_ : 1)) {
    return BadRowReason::kTooManyValues;
  }
  const size_t begin = column.keys.size();
  for (const std::string_view value : values) {
    const BadRowReason reason = value.empty() ? BadRowReason::kNone
                                : is_tags_    ? AppendTag(value, column)
                                              : AppendKey(value, column);
    if (reason != BadRowReason::kNone) {
      return reason;
    }
  }
  if (is_sequence_) {
    DropOldest(begin, column);
  }
  return BadRowReason::kNone;
}

BadRowReason FeatureTransform::AppendTags(std::string_view value, SparseColumn& column) const {
  TagCursor tags(value, separator_);
  std::string_view tag;
  for (uint32_t count = 1; tags.Next(tag); ++count) {
    if (count > max_values_) {
      return BadRowReason::kTooManyValues;
    }
    const BadRowReason reason = AppendTag(tag, column);
    if (reason != BadRowReason::kNone) {
      return reason;
    }
  }
  return BadRowReason::kNone;
}

BadRowReason FeatureTransform::AppendTag(std::string_view tag, SparseColumn& column) const {
  return kv_separator_.empty() ? AppendKey(tag, column) : AppendWeightedTag(tag, column);
}

// "value:weight". A tag without a weight weighs 1.
BadRowReason FeatureTransform::AppendWeightedTag(std::string_view tag, SparseColumn& column) const {
  double weight = 1;
  const bool is_weighted = tag.find(kv_separator_) != std::string_view::npos;
  const std::string_view text = TakeTagWeight(tag, kv_separator_);
  if (is_weighted) {
    const BadRowReason reason = ReadNumber(text, weight);
    if (reason != BadRowReason::kNone) {
      return reason;
    }
  }
  const BadRowReason reason = AppendKey(tag, column);
  if (reason == BadRowReason::kNone && column.weights.size() < column.keys.size()) {
    column.weights.push_back(static_cast<float>(weight));
  }
  return reason;
}

BadRowReason FeatureTransform::AppendKey(std::string_view value, SparseColumn& column) const {
  switch (source_) {
    case IdSource::kHash:
      column.keys.push_back(HashBytes(value, hash_seed_));
      return BadRowReason::kNone;
    case IdSource::kHashBuckets:
      column.keys.push_back(HashBytes(value, hash_seed_) % buckets_);
      return BadRowReason::kNone;
    case IdSource::kVocabulary: {
      const uint32_t number = vocabulary_.Find(value);
      if (number != Vocabulary::kNotFound) {
        column.keys.push_back(Key{number} + 1);
      }
      return BadRowReason::kNone;
    }
    case IdSource::kValue: {
      uint64_t id = 0;
      int64_t negative = 0;
      if (ReadWhole(value, id) != BadRowReason::kNone) {
        const bool is_number = ReadWhole(value, negative) == BadRowReason::kNone;
        return is_number ? BadRowReason::kIdOutOfRange : BadRowReason::kBadNumber;
      }
      if (id >= buckets_) {
        return BadRowReason::kIdOutOfRange;
      }
      column.keys.push_back(id);
      return BadRowReason::kNone;
    }
    case IdSource::kBoundaries: {
      double number = 0;
      const BadRowReason reason = ReadNumber(value, number);
      if (reason == BadRowReason::kNone) {
        const auto past = std::upper_bound(boundaries_.begin(), boundaries_.end(), number);
        column.keys.push_back(static_cast<Key>(past - boundaries_.begin()));
      }
      return reason;
    }
  }
  return BadRowReason::kNone;
}

BadRowReason FeatureTransform::WriteNumbers(std::string_view value, float* out) const {
  const size_t last = scale_.size() - 1;
  for (size_t i = 0; i < last; ++i) {
    const size_t end = value.find(separator_);
    if (end == std::string_view::npos) {
      return BadRowReason::kValueCount;
    }
    const BadRowReason reason = WriteNumber(value.substr(0, end), i, out);
    if (reason != BadRowReason::kNone) {
      return reason;
    }
    value.remove_prefix(end + separator_.size());
  }
  if (last > 0 && value.find(separator_) != std::string_view::npos) {
    return BadRowReason::kValueCount;
  }
  return WriteNumber(value, last, out);
}

BadRowReason FeatureTransform::WriteNumbers(std::span<const double> numbers, float* out) const {
  if (numbers.size() != scale_.size()) {
    return BadRowReason::kValueCount;
  }
  for (size_t i = 0; i < numbers.size(); ++i) {
    const BadRowReason reason = Normalize(numbers[i], i, out);
    if (reason != BadRowReason::kNone) {
      return reason;
    }
  }
  return BadRowReason::kNone;
}

BadRowReason FeatureTransform::WriteNumber(std::string_view value, size_t dimension,
                                           float* out) const {
  double x = 0;
  const BadRowReason reason = ReadNumber(value, x);
  return reason == BadRowReason::kNone ? Normalize(x, dimension, out) : reason;
}

BadRowReason FeatureTransform::Normalize(double x, size_t dimension, float* out) const {
  if (!std::isfinite(x)) {  // clipping would hide it
    return BadRowReason::kNotFinite;
  }
  x = ((log1p_ ? Log1p(x) : x) - shift_[dimension]) * scale_[dimension];
  if (clip_) {
    x = std::clamp(x, 0.0, 1.0);
  }
  const auto narrow = static_cast<float>(x);
  if (!std::isfinite(narrow)) {
    return BadRowReason::kNotFinite;
  }
  out[dimension] = narrow;
  return BadRowReason::kNone;
}

}  // namespace antiphon
