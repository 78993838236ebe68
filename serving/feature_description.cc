#include "serving/feature_description.h"

#include <algorithm>
#include <string_view>

#include "common/base/hash.h"
#include "common/data/feature_columns.h"
#include "common/data/feature_transform.h"
#include "models/input_layout.h"

namespace antiphon {
namespace {

using IdSource = FeatureTransform::IdSource;

const char* SourceName(IdSource source) {
  switch (source) {
    case IdSource::kHash:
      return "hash";
    case IdSource::kHashBuckets:
      return "hash_buckets";
    case IdSource::kValue:
      return "value";
    case IdSource::kVocabulary:
      return "vocabulary";
    case IdSource::kBoundaries:
      return "boundaries";
  }
  return "";
}

const char* KindName(const FeatureConfig& feature) {
  if (!IsCategorical(feature)) {
    return "numbers";
  }
  switch (feature.feature_type()) {
    case FeatureConfig::TagFeature:
      return "tags";
    case FeatureConfig::SequenceFeature:
      return "sequence";
    default:
      return "id";
  }
}

// How many bytes follow one that begins a character; -1: no character begins with it.
int FollowersOf(unsigned char lead) {
  if (lead < 0x80) {
    return 0;
  }
  if (lead < 0xc2 || lead > 0xf4) {
    return -1;
  }
  return lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
}

// Not one that fewer bytes could say, and no surrogate.
bool IsCodePoint(uint32_t code, int followers) {
  const uint32_t least = followers == 2 ? 0x800 : followers == 3 ? 0x10000 : 0;
  const bool is_surrogate = code >= 0xd800 && code < 0xe000;
  return code >= least && code <= 0x10ffff && !is_surrogate;
}

// Whether the bytes are UTF-8 as JSON has it: no overlong forms, no surrogates.
bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    const auto lead = static_cast<unsigned char>(text[0]);
    const int followers = FollowersOf(lead);
    if (followers < 0 || text.size() <= static_cast<size_t>(followers)) {
      return false;
    }
    uint32_t code = followers == 0 ? lead : lead & (0x3fU >> followers);
    for (int k = 1; k <= followers; ++k) {
      const auto next = static_cast<unsigned char>(text[static_cast<size_t>(k)]);
      if ((next & 0xc0U) != 0x80) {
        return false;
      }
      code = code << 6 | (next & 0x3fU);
    }
    if (!IsCodePoint(code, followers)) {
      return false;
    }
    text.remove_prefix(static_cast<size_t>(followers) + 1);
  }
  return true;
}

void DescribeVocabulary(const Vocabulary& vocabulary, ServedFeature& described) {
  bool is_text = true;
  for (uint32_t i = 0; i < vocabulary.size(); ++i) {
    is_text = is_text && IsUtf8(vocabulary[i]);
  }
  for (uint32_t i = 0; i < vocabulary.size(); ++i) {
    std::string entry(vocabulary[i]);
    if (is_text) {
      described.add_vocabulary(std::move(entry));
    } else {
      described.add_vocabulary_bytes(std::move(entry));
    }
  }
}

void DescribeIds(const FeatureConfig& feature, const FeatureTransform& transform,
                 ServedFeature& described) {
  described.set_id_source(SourceName(transform.id_source()));
  if (transform.buckets() > 0) {
    described.set_buckets(transform.buckets());
  }
  DescribeVocabulary(transform.vocabulary(), described);
  described.mutable_boundaries()->Add(transform.boundaries().begin(), transform.boundaries().end());
  if (HasSeveralValues(feature)) {
    described.set_separator(feature.separator());
    described.set_max_values(feature.max_values());
  }
  if (feature.has_kv_separator()) {
    described.set_kv_separator(feature.kv_separator());
  }
  described.set_table(TableName(feature));
}

void DescribeNumbers(const FeatureConfig& feature, const FeatureTransform& transform,
                     ServedFeature& described) {
  if (transform.width() > 1) {
    described.set_separator(feature.separator());
  }
  described.set_log1p(transform.log1p());
  described.set_clip(transform.clip());
  described.mutable_shift()->Add(transform.shift().begin(), transform.shift().end());
  described.mutable_scale()->Add(transform.scale().begin(), transform.scale().end());
}

void PlaceSparse(const InputLayout::Sparse& sparse, ServedFeature& described) {
  if (sparse.is_sequence) {
    described.set_linear_width(sparse.linear);
    described.set_embedding_width(sparse.dim);
    return;
  }
  if (sparse.linear > 0) {
    described.set_linear_width(sparse.linear);
    described.set_linear_column(sparse.linear_begin);
  }
  if (sparse.dim > 0) {
    described.set_embedding_width(sparse.dim);
    described.set_embedding_column(sparse.begin);
  }
  described.set_pooling(sparse.pooling == Pooling::kSum ? "sum" : "mean");
}

void PlaceNumbers(const InputLayout& layout, uint32_t batch_column, ServedFeature& described) {
  for (const InputLayout::Dense& run : layout.dense) {
    if (batch_column >= run.batch_begin && batch_column < run.batch_begin + run.width) {
      described.set_column(run.begin + batch_column - run.batch_begin);
    }
  }
}

// Without the columns: where a model reads a feature does not change what the feature is.
std::string DigestOf(ServedFeature feature) {
  feature.clear_linear_width();
  feature.clear_linear_column();
  feature.clear_embedding_width();
  feature.clear_embedding_column();
  feature.clear_pooling();
  feature.clear_column();
  feature.clear_transform_digest();
  return HexDigits(HashBytes(feature.SerializeAsString()));
}

void SetInput(const DataConfig& data, const FeatureConfig& feature, ServedFeature& described) {
  described.set_name(FeatureName(feature));
  described.set_input_field(feature.input_names(0));
  described.set_kind(KindName(feature));
  const int field = FindInputField(data, feature.input_names(0));
  if (field >= 0 && data.input_fields(field).has_default_val()) {
    described.set_default_value(data.input_fields(field).default_val());
  }
}

}  // namespace

std::string HexDigits(uint64_t number) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text(16, '0');
  for (size_t i = 16; i-- > 0; number >>= 4) {
    text[i] = kDigits[number & 15];
  }
  return text;
}

StatusOr<std::vector<ServedFeature>> DescribeFeatures(const Job& job, const TrainingPlan& plan) {
  const FeatureConfigs& config = job.feature_config();
  if (plan.features_size() != config.features_size()) {
    return InvalidArgumentError("the plan has statistics of " +
                                std::to_string(plan.features_size()) + " features, the job has " +
                                std::to_string(config.features_size()));
  }
  std::vector<ServedFeature> described(static_cast<size_t>(config.features_size()));
  for (int i = 0; i < config.features_size(); ++i) {
    const FeatureConfig& feature = config.features(i);
    ServedFeature& one = described[static_cast<size_t>(i)];
    SetInput(job.data_config(), feature, one);
    AP_ASSIGN_OR_RETURN(const FeatureTransform transform,
                        FeatureTransform::Create(feature, plan.features(i)));
    if (IsCategorical(feature)) {
      DescribeIds(feature, transform, one);
    } else {
      DescribeNumbers(feature, transform, one);
    }
    one.set_transform_digest(DigestOf(one));
  }
  const FeatureColumns columns = OrderFeatureColumns(config);
  const InputLayout layout = MakeInputLayout(job);
  for (size_t i = 0; i < columns.sparse.size(); ++i) {
    PlaceSparse(layout.sparse[i], described[columns.sparse[i]]);
  }
  for (size_t i = 0; i < columns.dense.size(); ++i) {
    PlaceNumbers(layout, columns.dense_offset[i], described[columns.dense[i]]);
  }
  return described;
}

std::string TransformDigest(const std::vector<ServedFeature>& features) {
  std::string digests;
  for (const ServedFeature& feature : features) {
    digests += feature.transform_digest();
  }
  return HexDigits(HashBytes(digests));
}

namespace {

// Of two descriptions of a feature with other digests.
std::string Difference(const ServedFeature& a, const ServedFeature& b) {
  const auto same = [](const auto& x, const auto& y) {
    return std::equal(x.begin(), x.end(), y.begin(), y.end());
  };
  if (!same(a.vocabulary(), b.vocabulary()) || !same(a.vocabulary_bytes(), b.vocabulary_bytes())) {
    return "its vocabulary (" + std::to_string(a.vocabulary_size() + a.vocabulary_bytes_size()) +
           " entries against " + std::to_string(b.vocabulary_size() + b.vocabulary_bytes_size()) +
           ")";
  }
  if (!same(a.shift(), b.shift()) || !same(a.scale(), b.scale()) || a.log1p() != b.log1p() ||
      a.clip() != b.clip()) {
    return "its normalizer";
  }
  if (a.id_source() != b.id_source() || a.buckets() != b.buckets() || a.table() != b.table() ||
      !same(a.boundaries(), b.boundaries())) {
    return "how its ids are made";
  }
  return "how its text is read";
}

}  // namespace

Status CheckSameTransforms(const std::vector<ServedFeature>& trained,
                           const std::vector<ServedFeature>& others) {
  for (const ServedFeature& feature : trained) {
    const auto other = std::ranges::find(others, feature.name(), &ServedFeature::name);
    if (other == others.end()) {
      return FailedPreconditionError("feature \"" + feature.name() +
                                     "\" was trained and is not here");
    }
    // A digest that was left as it is beside a vocabulary that was not says nothing.
    if (other->transform_digest() != feature.transform_digest() ||
        DigestOf(*other) != feature.transform_digest()) {
      return FailedPreconditionError("feature \"" + feature.name() +
                                     "\" is not what training had: it differs in " +
                                     Difference(feature, *other));
    }
  }
  if (others.size() != trained.size()) {
    return FailedPreconditionError("there are " + std::to_string(others.size()) +
                                   " features, training had " + std::to_string(trained.size()));
  }
  return Status();
}

}  // namespace antiphon
