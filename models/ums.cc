#include "models/ums.h"

#include <set>

#include "models/isolation.h"
#include "models/model_checks.h"
#include "models/tape/column_ops.h"
#include "models/tape/linear_ops.h"
#include "models/tape/row_ops.h"

namespace antiphon {
namespace {

constexpr BlockId kNoBlock = ~BlockId{0};
constexpr int kMaxCrossScenes = 64;  // each pair of them has a weight for each task

std::vector<std::string> PrivateGroups(const InputShape& input) {
  std::vector<std::string> names;
  for (const InputScene& scene : input.scenes) {
    names.push_back(scene.private_group.name);
  }
  return names;
}

}  // namespace

template <typename T>
UmsModel<T>::UmsModel(const Ums& config, const InputShape& input, BlockList& blocks)
    : stop_public_gradient_(config.stop_public_gradient()),
      public_columns_(InputColumns::Without(input, PrivateGroups(input))),
      public_("public", public_columns_.width(), config.public_dnn(), 1, blocks),
      experts_("experts", public_.outputs(), config.expert_dnn(), config.num_expert(), blocks),
      embedding_(blocks.AddVector("scene_embedding", config.scene_embedding_dim(), 0)) {
  const uint32_t gate_inputs = public_.outputs() + config.scene_embedding_dim();
  const Gate::Bias bias = config.gate_bias() ? Gate::Bias::kYes : Gate::Bias::kNo;
  for (const TaskTower& tower : config.task_towers()) {
    const std::string& name = tower.tower_name();
    Gate gate(name + ".gate", gate_inputs, config.num_expert(), bias, blocks);
    const BlockId begin = blocks.size();
    Tower shared(tower, experts_.outputs(), blocks);
    tasks_.push_back({name, gate, std::move(shared), begin, blocks.size()});
  }
  for (const InputScene& scene : input.scenes) {
    AddScene(config, scene, blocks);
  }
  if (config.cross_scene_scores() == Ums::STOP_GRADIENT) {
    AddCrossWeights(input, blocks);
  }
}

template <typename T>
void UmsModel<T>::Check(const Ums& config, const ModelChecks& checks) {
  const Job& job = checks.job();
  checks.NeedsScenes();
  CheckLayers(checks.Path("public_dnn"), config.public_dnn(), Layers::kOptional, checks.fields());
  checks.NeedsLayers("expert_dnn", config.expert_dnn());
  checks.Experts("num_expert", config.num_expert());
  checks.EmbeddingDim("scene_embedding_dim", config.scene_embedding_dim());
  if (config.has_private_dnn()) {
    checks.NeedsLayers("private_dnn", config.private_dnn());
  }
  std::set<std::string> shared;
  for (const FeatureGroup& group : job.model_config().feature_groups()) {
    shared.insert(group.group_name());
  }
  for (const SceneTasks& line : job.model_config().scene_tasks()) {
    shared.erase(line.private_group());
  }
  if (shared.empty()) {
    checks.fields().Add("model_config.feature_groups",
                        "every group is private to a scene, expected one that all scenes read");
  }
  const int scenes = job.data_config().scenes_size();
  if (config.cross_scene_scores() != Ums::NONE && scenes > kMaxCrossScenes) {
    checks.fields().Add(checks.Path("cross_scene_scores"),
                        GotExpected(std::to_string(scenes) + " scenes",
                                    "at most " + std::to_string(kMaxCrossScenes) +
                                        ": every row is scored by the towers of all"));
  }
}

template <typename T>
void UmsModel<T>::AddScene(const Ums& config, const InputScene& input, BlockList& blocks) {
  const std::string prefix = "scene." + input.name + ".";
  Scene scene;
  scene.embedding = blocks.AddLike(embedding_, prefix + "embedding", 0);
  if (config.has_private_dnn()) {
    Mlp mlp(prefix + "private", input.private_group.width + public_.outputs(), config.private_dnn(),
            1, blocks);
    const uint32_t outputs = experts_.outputs();
    const BlockId gate = blocks.AddEqualWeights(prefix + "gate", mlp.outputs(), outputs, 0);
    const BlockId shift = blocks.AddEqualWeights(prefix + "shift", mlp.outputs(), outputs, 0);
    scene.private_network = PrivateNetwork{input.private_group, std::move(mlp), gate, shift};
  }
  for (size_t k = 0; k < tasks_.size(); ++k) {
    SceneTask& task = scene.tasks.emplace_back();
    if (!input.HasTask(tasks_[k].name)) {
      continue;
    }
    if (config.scene_tower() == Ums::SHARED_PLUS_DELTA) {
      task.delta.emplace(prefix, SceneOverlay::Form::kDelta, tasks_[k].begin, tasks_[k].end,
                         blocks);
    } else {
      task.tower.emplace(prefix + tasks_[k].name, experts_.outputs(),
                         config.task_towers(static_cast<int>(k)).dnn(), blocks,
                         Tower::Start::kSilent);
    }
  }
  scenes_.push_back(std::move(scene));
}

// Behind everything else, so that a pair is there only when both scenes are.
template <typename T>
void UmsModel<T>::AddCrossWeights(const InputShape& input, BlockList& blocks) {
  const auto has_task = [](const SceneTask& task) { return task.delta || task.tower; };
  for (size_t s = 0; s < scenes_.size(); ++s) {
    for (size_t k = 0; k < tasks_.size(); ++k) {
      SceneTask& task = scenes_[s].tasks[k];
      task.cross_weight.assign(scenes_.size(), kNoBlock);
      for (size_t other = 0; other < scenes_.size(); ++other) {
        if (other != s && has_task(task) && has_task(scenes_[other].tasks[k])) {
          task.cross_weight[other] =
              blocks.AddVector("scene." + input.scenes[s].name + "." + tasks_[k].name + ".from." +
                                   input.scenes[other].name,
                               1, 0);
        }
      }
    }
  }
}

template <typename T>
Var<T> UmsModel<T>::SceneEmbeddings(const Pass<T>& pass) const {
  const std::span<Var<T>> parts = pass.NewVars(pass.scenes.size());
  for (size_t i = 0; i < parts.size(); ++i) {
    const SceneRows& rows = pass.scenes[i];
    Var<T> z = pass.block(embedding_);
    if (rows.scene != kUnlistedScene) {
      z = Add(pass.tape, z, pass.block(scenes_[rows.scene].embedding));
    }
    parts[i] = RepeatRow(pass.tape, z, rows.rows);
  }
  return ConcatRows<T>(pass.tape, parts);
}

template <typename T>
Var<T> UmsModel<T>::PrivateOutput(const Pass<T>& pass, const PrivateNetwork& network,
                                  const Var<T>& features, const Var<T>& u) const {
  if (network.features.width == 0) {
    return network.mlp.Forward(pass, u);
  }
  const Var<T> parts[] = {SliceColumns(features, network.features.begin, network.features.width),
                          u};
  return network.mlp.Forward(pass, ConcatColumns<T>(pass.tape, parts));
}

template <typename T>
Var<T> UmsModel<T>::SceneScore(const Pass<T>& pass, uint32_t scene, size_t k,
                               const Var<T>& x) const {
  const SceneTask& own = scenes_[scene].tasks[k];
  if (own.delta.has_value()) {
    return tasks_[k].tower.Forward(own.delta->Over(pass), x);
  }
  const Var<T> shared = tasks_[k].tower.Forward(pass, x);
  return own.tower.has_value() ? Add(pass.tape, shared, own.tower->Forward(pass, x)) : shared;
}

template <typename T>
Var<T> UmsModel<T>::CrossScores(const Pass<T>& pass, uint32_t scene, size_t k, const Var<T>& r,
                                const Var<T>& score) const {
  Var<T> sum = score;
  const std::vector<BlockId>& weights = scenes_[scene].tasks[k].cross_weight;
  for (uint32_t other = 0; other < weights.size(); ++other) {
    if (weights[other] != kNoBlock) {
      const Var<T> theirs = StopGradient(SceneScore(pass, other, k, StopGradient(r)));
      sum =
          Add(pass.tape, sum,
              Linear(pass.tape, theirs, pass.block(weights[other]), Var<T>(), Activation::kLinear));
    }
  }
  return sum;
}

template <typename T>
void UmsModel<T>::ScoreScene(const Pass<T>& pass, const SceneRows& rows, const SceneInput& input,
                             std::span<Var<T>> scores) const {
  const auto own = [&rows](const Var<T>& x) { return SliceRows(x, rows.begin, rows.rows); };
  Pass<T> scene_pass = pass;
  scene_pass.dropout.first_row += rows.begin;
  if (rows.scene == kUnlistedScene) {
    for (size_t k = 0; k < scores.size(); ++k) {
      scores[k] = tasks_[k].tower.Forward(scene_pass, own(input.r[k]));
    }
    return;
  }
  const std::optional<PrivateNetwork>& network = scenes_[rows.scene].private_network;
  Var<T> gate;
  Var<T> shift;
  if (network.has_value()) {
    const Var<T> u = stop_public_gradient_ ? StopGradient(input.u) : input.u;
    const Var<T> m = PrivateOutput(scene_pass, *network, own(input.features), own(u));
    const Var<T> none;
    gate = Scale(pass.tape,
                 Linear(pass.tape, m, pass.block(network->gate), none, Activation::kSigmoid), T{2});
    shift = Linear(pass.tape, m, pass.block(network->shift), none, Activation::kLinear);
  }
  for (size_t k = 0; k < scores.size(); ++k) {
    const Var<T> r = own(input.r[k]);
    const TaskTower::Isolation isolation = tasks_[k].tower.isolation();
    const Var<T> o = network.has_value()
                         ? Add(pass.tape, Multiply(pass.tape, r, TowerInput(gate, isolation)),
                               TowerInput(shift, isolation))
                         : r;
    scores[k] = CrossScores(scene_pass, rows.scene, k, r, SceneScore(scene_pass, rows.scene, k, o));
  }
}

template <typename T>
void UmsModel<T>::Forward(const Pass<T>& pass, const Var<T>& input,
                          std::span<Var<T>> logits) const {
  const Var<T> u = public_.Forward(pass, public_columns_.Of(pass, input));
  const Var<T> experts = experts_.Forward(pass, u, pass.shared);
  const Var<T> gate_parts[] = {u, SceneEmbeddings(pass)};
  const Var<T> gate_input = ConcatColumns<T>(pass.tape, gate_parts);
  const std::span<Var<T>> r = pass.NewVars(tasks_.size());
  for (size_t k = 0; k < tasks_.size(); ++k) {
    const TaskTower::Isolation isolation = tasks_[k].tower.isolation();
    r[k] = MixBlocks(pass.tape, TowerInput(experts, isolation),
                     tasks_[k].gate.Forward(pass, TowerInput(gate_input, isolation)));
  }
  // [scene][task], then one below the other for each task.
  const size_t scenes = pass.scenes.size();
  const std::span<Var<T>> scores = pass.NewVars(scenes * tasks_.size());
  for (size_t i = 0; i < scenes; ++i) {
    ScoreScene(pass, pass.scenes[i], {input, u, r},
               scores.subspan(i * tasks_.size(), tasks_.size()));
  }
  const std::span<Var<T>> of_task = pass.NewVars(scenes);
  for (size_t k = 0; k < tasks_.size(); ++k) {
    for (size_t i = 0; i < scenes; ++i) {
      of_task[i] = scores[i * tasks_.size() + k];
    }
    logits[k] = ConcatRows<T>(pass.tape, of_task);
  }
}

template class UmsModel<float>;
template class UmsModel<double>;

}  // namespace antiphon
