#include "models/ple.h"

#include <algorithm>
#include <string>

#include "models/isolation.h"
#include "models/model_checks.h"
#include "models/tape/column_ops.h"

namespace antiphon {
namespace {

const DNN& SharedNet(const ExtractionNetwork& level) {
  return level.has_share_expert_net() ? level.share_expert_net() : level.task_expert_net();
}

}  // namespace

template <typename T>
PleModel<T>::PleModel(const Ple& config, const InputShape& input, BlockList& blocks) {
  uint32_t width = input.width;
  for (const ExtractionNetwork& network : config.extraction_networks()) {
    AddLevel(network, config, width, blocks);
    width = levels_.back().experts.front().outputs();
  }
  for (const TaskTower& tower : config.task_towers()) {
    towers_.emplace_back(tower, width, blocks);
  }
}

template <typename T>
void PleModel<T>::AddLevel(const ExtractionNetwork& network, const Ple& config, uint32_t inputs,
                           BlockList& blocks) {
  const bool is_last = static_cast<int>(levels_.size()) + 1 == config.extraction_networks_size();
  const auto tasks = static_cast<uint32_t>(config.task_towers_size());
  const uint32_t own = network.expert_num_per_task();
  const uint32_t shared = network.share_num();
  const Gate::Bias bias = config.gate_bias() ? Gate::Bias::kYes : Gate::Bias::kNo;
  Level& level = levels_.emplace_back();
  for (const TaskTower& tower : config.task_towers()) {
    const std::string name = network.network_name() + "." + tower.tower_name();
    level.experts.emplace_back(name + ".experts", inputs, network.task_expert_net(), own, blocks);
    level.gates.emplace_back(name + ".gate", inputs, own + shared, bias, blocks);
  }
  const std::string name = network.network_name() + ".share";
  level.experts.emplace_back(name + ".experts", inputs, SharedNet(network), shared, blocks);
  if (!is_last) {
    level.gates.emplace_back(name + ".gate", inputs, tasks * own + shared, bias, blocks);
  }
}

template <typename T>
void PleModel<T>::Check(const Ple& config, const ModelChecks& checks) {
  if (config.extraction_networks().empty()) {
    checks.fields().Add(checks.Path("extraction_networks"), "is missing, expected one a level");
  }
  std::vector<std::string> names;
  for (int j = 0; j < config.extraction_networks_size(); ++j) {
    const ExtractionNetwork& level = config.extraction_networks(j);
    const std::string field = ElementPath("extraction_networks", j);
    names.push_back(level.network_name());
    checks.Experts(field + ".expert_num_per_task", level.expert_num_per_task());
    checks.Experts(field + ".share_num", level.share_num());
    checks.NeedsLayers(field + ".task_expert_net", level.task_expert_net());
    if (!level.has_share_expert_net()) {
      continue;
    }
    const auto& own = level.task_expert_net().hidden_units();
    const auto& shared = level.share_expert_net().hidden_units();
    checks.NeedsLayers(field + ".share_expert_net", level.share_expert_net());
    if (!own.empty() && !shared.empty() && *own.rbegin() != *shared.rbegin()) {
      checks.fields().Add(
          checks.Path(field) + ".share_expert_net.hidden_units",
          GotExpected("a last layer of " + std::to_string(*shared.rbegin()),
                      std::to_string(*own.rbegin()) + " as in task_expert_net: gates add them up"));
    }
  }
  checks.fields().Distinct(checks.Path("extraction_networks"), names);
}

template <typename T>
void PleModel<T>::Forward(const Pass<T>& pass, const Var<T>& input,
                          std::span<Var<T>> logits) const {
  const size_t tasks = towers_.size();
  const std::span<Var<T>> x(pass.tape.template Scratch<Var<T>>(tasks + 1), tasks + 1);
  const std::span<Var<T>> experts(pass.tape.template Scratch<Var<T>>(tasks + 1), tasks + 1);
  std::fill(x.begin(), x.end(), input);
  for (const Level& level : levels_) {
    const bool is_last = &level == &levels_.back();
    for (size_t k = 0; k < tasks && is_last; ++k) {
      x[k] = TowerInput(x[k], towers_[k].isolation());
    }
    for (size_t k = 0; k < tasks; ++k) {
      experts[k] = level.experts[k].Forward(pass, x[k]);
    }
    // The last of all experts, so that all that reads them comes after them.
    experts[tasks] = level.experts[tasks].Forward(pass, x[tasks], is_last ? pass.shared : nullptr);
    // The gate of a task chooses among its own experts and the shared ones, the shared gate among
    // all.
    for (size_t k = 0; k < tasks; ++k) {
      const Var<T> shared =
          is_last ? TowerInput(experts[tasks], towers_[k].isolation()) : experts[tasks];
      const Var<T> choice[] = {experts[k], shared};
      x[k] = MixBlocks<T>(pass.tape, choice, level.gates[k].Forward(pass, x[k]));
    }
    if (level.gates.size() > tasks) {
      x[tasks] = MixBlocks<T>(pass.tape, experts, level.gates[tasks].Forward(pass, x[tasks]));
    }
  }
  for (size_t k = 0; k < tasks; ++k) {
    logits[k] = towers_[k].Forward(pass, x[k]);
  }
}

template class PleModel<float>;
template class PleModel<double>;

}  // namespace antiphon
