#include "models/triplet_input.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "models/model_checks.h"
#include "models/tape/column_ops.h"
#include "models/tape/linear_ops.h"

namespace antiphon {
namespace {

struct SideGroup {
  const char* side;
  const std::string* group;
};

// The user last, where there is one.
std::vector<SideGroup> SideGroups(const Triplet& config) {
  std::vector<SideGroup> groups = {{"host", &config.host_group()},
                                   {"text", &config.text_group()},
                                   {"avatar", &config.avatar_group()}};
  if (config.has_user_group()) {
    groups.push_back({"user", &config.user_group()});
  }
  return groups;
}

}  // namespace

TripletInput::TripletInput(const Triplet& config, const InputShape& input, BlockList& blocks)
    : dim_(config.projection_dim()) {
  for (const auto& [side, group] : SideGroups(config)) {
    InputColumns columns = InputColumns::OfGroup(input, *group);
    const BlockId projection =
        blocks.AddWeights(std::string("triplet.") + side, columns.width(), dim_, 1);
    sides_.push_back({std::move(columns), projection});
  }
}

void TripletInput::Check(const Triplet& config, const ModelChecks& checks) {
  std::vector<std::string> groups;
  for (const FeatureGroup& group : checks.job().model_config().feature_groups()) {
    groups.push_back(group.group_name());
  }
  std::set<std::string> used;
  for (const auto& [side, group] : SideGroups(config)) {
    const std::string path = checks.Path(std::string(side) + "_group");
    checks.fields().Known(path, *group, "feature group", groups);
    if (!used.insert(*group).second) {
      checks.fields().Add(path, "feature group \"" + *group +
                                    "\" is another side of the triplet already, expected one of "
                                    "its own");
    }
  }
  checks.EmbeddingDim("projection_dim", config.projection_dim());
}

InputShape TripletInput::Inner(const InputShape& input) const {
  InputShape inner = input;
  inner.width += static_cast<uint32_t>(product_count()) * dim_;
  return inner;
}

template <typename T>
Var<T> TripletInput::Forward(const Pass<T>& pass, const Var<T>& input) const {
  const std::span<Var<T>> projected = pass.NewVars(sides_.size());
  for (size_t i = 0; i < sides_.size(); ++i) {
    projected[i] = Linear(pass.tape, sides_[i].columns.Of(pass, input),
                          pass.block(sides_[i].projection), Var<T>(), Activation::kLinear);
  }
  const std::span<Var<T>> parts = pass.NewVars(1 + product_count());
  size_t used = 0;
  parts[used++] = input;
  for (size_t i = 0; i < sides_.size(); ++i) {
    for (size_t j = i + 1; j < sides_.size(); ++j) {
      parts[used++] = Multiply(pass.tape, projected[i], projected[j]);
    }
  }
  const Var<T>& host_and_text = parts[1];
  parts[used] = Multiply(pass.tape, host_and_text, projected[2]);
  return ConcatColumns<T>(pass.tape, parts);
}

template Var<float> TripletInput::Forward(const Pass<float>&, const Var<float>&) const;
template Var<double> TripletInput::Forward(const Pass<double>&, const Var<double>&) const;

}  // namespace antiphon
