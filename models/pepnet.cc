#include "models/pepnet.h"

#include <algorithm>
#include <string>

#include "models/isolation.h"
#include "models/model_checks.h"
#include "models/tape/column_ops.h"

namespace antiphon {
namespace {

constexpr uint64_t kMaxUnits = 65536;

template <typename T>
Var<T> Join(const Pass<T>& pass, const Var<T>& x, const Var<T>& y) {
  const Var<T> parts[] = {x, y};
  return ConcatColumns<T>(pass.tape, parts);
}

}  // namespace

template <typename T>
PepNetModel<T>::PepNetModel(const PepNet& config, const InputShape& input, BlockList& blocks)
    : domain_(InputColumns::OfGroup(input, config.domain_group())),
      prior_(InputColumns::OfGroup(input, config.prior_group())),
      main_(InputColumns::Without(
          input, std::vector<std::string>{config.domain_group(), config.prior_group()})),
      input_gate_("epnet", domain_.width() + main_.width(), config.gate_hidden_units(),
                  main_.width(), blocks) {
  size_t layers = 0;
  for (const TaskTower& tower : config.task_towers()) {
    towers_.emplace_back(tower, main_.width(), blocks);
    layers = std::max(layers, towers_.back().layer_count());
  }
  for (size_t layer = 0; layer < layers; ++layer) {
    uint32_t width = 0;
    for (const Tower& tower : towers_) {
      width += layer < tower.layer_count() ? tower.inputs(layer) : 0;
    }
    layer_gates_.emplace_back("ppnet." + std::to_string(layer), prior_.width() + main_.width(),
                              config.gate_hidden_units(), width, blocks);
  }
}

template <typename T>
void PepNetModel<T>::Check(const PepNet& config, const ModelChecks& checks) {
  std::vector<std::string> groups;
  for (const FeatureGroup& group : checks.job().model_config().feature_groups()) {
    groups.push_back(group.group_name());
  }
  FieldChecks& fields = checks.fields();
  fields.Known(checks.Path("domain_group"), config.domain_group(), "feature group", groups);
  fields.Known(checks.Path("prior_group"), config.prior_group(), "feature group", groups);
  if (config.domain_group() == config.prior_group()) {
    fields.Add(checks.Path("prior_group"), "is the domain_group, expected another group");
  }
  std::erase(groups, config.domain_group());
  std::erase(groups, config.prior_group());
  if (groups.empty()) {
    fields.Add("model_config.feature_groups",
               "domain_group and prior_group make gates only, expected a group besides them for "
               "the towers to read");
  }
  fields.Range(checks.Path("gate_hidden_units"), uint64_t{config.gate_hidden_units()}, 1,
               kMaxUnits);
}

template <typename T>
void PepNetModel<T>::Forward(const Pass<T>& pass, const Var<T>& input,
                             std::span<Var<T>> logits) const {
  const Var<T> e = main_.Of(pass, input);
  const Var<T> gate =
      input_gate_.Forward(pass, Join(pass, domain_.Of(pass, input), StopGradient(e)));
  const Var<T> o = Multiply(pass.tape, gate, e);
  const Var<T> prior = Join(pass, prior_.Of(pass, input), StopGradient(o));
  const std::span<Var<T>> gates = pass.NewVars(layer_gates_.size());
  for (size_t layer = 0; layer < gates.size(); ++layer) {
    gates[layer] = layer_gates_[layer].Forward(pass, prior);
  }
  if (pass.shared != nullptr) {
    *pass.shared = {.output = o, .above = pass.tape.Mark()};
  }
  for (size_t k = 0; k < towers_.size(); ++k) {
    logits[k] = TowerInput(o, towers_[k].isolation());
  }
  for (size_t layer = 0; layer < gates.size(); ++layer) {
    uint32_t begin = 0;
    for (size_t k = 0; k < towers_.size(); ++k) {
      if (layer < towers_[k].layer_count()) {
        const Var<T> own = SliceColumns(gates[layer], begin, towers_[k].inputs(layer));
        logits[k] = towers_[k].ForwardLayer(
            pass, layer, Multiply(pass.tape, TowerInput(own, towers_[k].isolation()), logits[k]));
        begin += own.cols;
      }
    }
  }
}

template class PepNetModel<float>;
template class PepNetModel<double>;

}  // namespace antiphon
