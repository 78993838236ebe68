#include "models/pair_fields.h"

#include <algorithm>
#include <string>

#include "common/data/feature_columns.h"
#include "models/model_checks.h"
#include "models/tape/column_ops.h"
#include "models/tape/pair_ops.h"

namespace antiphon {

PairFields::PairFields(const InputShape& input) {
  for (const ColumnRange& field : input.fields) {
    begins_.push_back(field.begin);
    dim_ = field.width;
  }
  std::sort(begins_.begin(), begins_.end());
}

void PairFields::Check(const ModelChecks& checks) {
  const auto& features = checks.job().feature_config().features();
  int first = -1;
  int count = 0;
  for (int i = 0; i < features.size(); ++i) {
    if (!IsCategorical(features[i]) ||
        features[i].feature_type() == FeatureConfig::SequenceFeature) {
      continue;
    }
    ++count;
    first = first < 0 ? i : first;
    const uint32_t dim = features[first].embedding_dim();
    if (features[i].embedding_dim() != dim) {
      checks.fields().Add(
          ElementPath("feature_config.features", i) + ".embedding_dim",
          GotExpected(std::to_string(features[i].embedding_dim()),
                      std::to_string(dim) + " as feature \"" + FeatureName(features[first]) +
                          "\" has: pairs of features are multiplied"));
    }
  }
  if (count < 2) {
    checks.fields().Add("feature_config.features",
                        "has " + std::to_string(count) +
                            " categorical features, expected at least 2 for pairs of them");
  }
}

template <typename T>
Var<T> PairFields::Products(const Pass<T>& pass, const Var<T>& input) const {
  return PairProducts<T>(pass.tape, input, begins_, dim_);
}

template <typename T>
Var<T> PairFields::Embeddings(const Pass<T>& pass, const Var<T>& input) const {
  const std::span<Var<T>> parts = pass.NewVars(count());
  for (size_t i = 0; i < parts.size(); ++i) {
    parts[i] = SliceColumns(input, begins_[i], dim_);
  }
  return ConcatColumns<T>(pass.tape, parts);
}

template <typename T>
Var<T> PairFields::Replace(const Pass<T>& pass, const Var<T>& input, uint32_t first,
                           const Var<T>& by) const {
  const std::span<Var<T>> parts = pass.NewVars(2 * size_t{count()} + 1);
  size_t used = 0;
  uint32_t from = first;
  for (uint32_t i = 0; i < count(); ++i) {
    if (begins_[i] > from) {
      parts[used++] = SliceColumns(input, from, begins_[i] - from);
    }
    if (by) {
      parts[used++] = SliceColumns(by, i * dim_, dim_);
    }
    from = begins_[i] + dim_;
  }
  if (input.cols > from) {
    parts[used++] = SliceColumns(input, from, input.cols - from);
  }
  return used == 0 ? Var<T>() : ConcatColumns<T>(pass.tape, parts.first(used));
}

#define AP_INSTANTIATE(T)                                                      \
  template Var<T> PairFields::Products(const Pass<T>&, const Var<T>&) const;   \
  template Var<T> PairFields::Embeddings(const Pass<T>&, const Var<T>&) const; \
  template Var<T> PairFields::Replace(const Pass<T>&, const Var<T>&, uint32_t, const Var<T>&) const;
AP_INSTANTIATE(float)
AP_INSTANTIATE(double)
#undef AP_INSTANTIATE

}  // namespace antiphon
