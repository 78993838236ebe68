// FeatureTransform: from the text of one field to the ids or numbers that a model reads.
//
// The one implementation for training, evaluation and serving, so that they cannot disagree. An id
// is
//   - the 64-bit hash of table name and value, or that hash mod hash_bucket_size,
//   - the value itself, with num_buckets,
//   - 1 + the position in a vocabulary; a value that is not in it reads no row,
//   - the number of boundaries that the value reaches.
// The hash takes the table's name (which is the feature's, unless embedding_name says otherwise),
// so that features that share a table share the rows of equal values. An empty categorical value
// reads no row. Values are bytes: nothing here asks whether they are UTF-8.
//
// Frozen: any thread may call it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "common/data/bad_row_reason.h"
#include "common/data/batch.h"
#include "common/data/vocabulary.h"
#include "proto/job.pb.h"
#include "proto/plan.pb.h"

namespace antiphon {

class FeatureTransform {
 public:
  enum class IdSource : uint8_t { kHash, kHashBuckets, kValue, kVocabulary, kBoundaries };

  // `statistics` holds what was fitted, and the contents of a vocab_file. An error says what is
  // missing there.
  static StatusOr<FeatureTransform> Create(const FeatureConfig& config,
                                           const FeatureStatistics& statistics);

  // Of a categorical feature: adds the keys (and, with a kv_separator, the weights) of one row to
  // the end of `column`; the caller closes the row. On an error some may have been added.
  BadRowReason AppendKeys(std::string_view value, SparseColumn& column) const;
  // The same of values that came as a list. Several are too many unless the feature takes several.
  BadRowReason AppendKeys(std::span<const std::string_view> values, SparseColumn& column) const;

  // Of a numeric feature: writes width() floats.
  BadRowReason WriteNumbers(std::string_view value, float* out) const;
  // The same of numbers that came as numbers.
  BadRowReason WriteNumbers(std::span<const double> numbers, float* out) const;

  uint32_t width() const { return static_cast<uint32_t>(scale_.size()); }

  // What it does, for who has to tell others; of a categorical feature:
  IdSource id_source() const { return source_; }
  uint64_t buckets() const { return buckets_; }
  const Vocabulary& vocabulary() const { return vocabulary_; }
  const std::vector<double>& boundaries() const { return boundaries_; }
  // And of a numeric one, an entry a dimension: (x - shift) * scale, see below.
  bool log1p() const { return log1p_; }
  bool clip() const { return clip_; }
  const std::vector<double>& shift() const { return shift_; }
  const std::vector<double>& scale() const { return scale_; }

 private:
  FeatureTransform() = default;
  Status FitNumbers(const FeatureConfig& config, const FeatureStatistics& statistics);
  BadRowReason AppendKey(std::string_view value, SparseColumn& column) const;
  BadRowReason AppendTag(std::string_view tag, SparseColumn& column) const;
  void DropOldest(size_t begin, SparseColumn& column) const;
  BadRowReason AppendTags(std::string_view value, SparseColumn& column) const;
  BadRowReason AppendSequence(std::string_view value, SparseColumn& column) const;
  BadRowReason AppendWeightedTag(std::string_view tag, SparseColumn& column) const;
  BadRowReason WriteNumber(std::string_view value, size_t dimension, float* out) const;
  BadRowReason Normalize(double x, size_t dimension, float* out) const;

  IdSource source_ = IdSource::kHash;
  bool is_tags_ = false;
  bool is_sequence_ = false;
  uint64_t hash_seed_ = 0;
  uint64_t buckets_ = 0;
  uint32_t max_values_ = 1;
  std::string separator_;
  std::string kv_separator_;
  Vocabulary vocabulary_;
  std::vector<double> boundaries_;

  // A number x becomes (x - shift) * scale, after log1p and before clipping where asked for.
  bool log1p_ = false;
  bool clip_ = false;
  std::vector<double> shift_;
  std::vector<double> scale_;
};

// x as the fitted statistics see it: after LOG1P where the feature has it.
double BeforeFitting(const FeatureConfig& config, double x);

}  // namespace antiphon
