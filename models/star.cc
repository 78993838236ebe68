#include "models/star.h"

#include <string>

#include "models/isolation.h"
#include "models/model_checks.h"
#include "models/tape/column_ops.h"
#include "models/tape/row_ops.h"

namespace antiphon {

template <typename T>
StarModel<T>::StarModel(const Star& config, const InputShape& input, BlockList& blocks)
    : has_norm_(config.partitioned_norm()),
      embedding_(blocks.AddVector("scene_embedding", config.scene_embedding_dim(), 0)) {
  std::vector<BlockId> tower_begin;
  std::vector<BlockId> tower_end;
  for (const TaskTower& tower : config.task_towers()) {
    const std::string& name = tower.tower_name();
    Tower aux(name + ".aux", config.scene_embedding_dim() + input.width, config.aux_dnn(), blocks);
    tower_begin.push_back(blocks.size());
    tasks_.push_back({Tower(tower, input.width, blocks), std::move(aux)});
    tower_end.push_back(blocks.size());
  }
  for (const InputScene& scene : input.scenes) {
    const std::string prefix = "scene." + scene.name + ".";
    Scene& added = scenes_.emplace_back();
    added.embedding = blocks.AddLike(embedding_, prefix + "embedding", 0);
    for (size_t k = 0; k < tasks_.size(); ++k) {
      std::optional<SceneOverlay>& tower = added.towers.emplace_back();
      if (scene.HasTask(config.task_towers(static_cast<int>(k)).tower_name())) {
        tower.emplace(prefix, SceneOverlay::Form::kFactor, tower_begin[k], tower_end[k], blocks);
      }
    }
  }
  if (has_norm_) {
    AddNorm(config, input, blocks);
  }
}

template <typename T>
void StarModel<T>::AddNorm(const Star& config, const InputShape& input, BlockList& blocks) {
  const uint32_t sums = 2 * input.width + 1;
  gamma_ = blocks.AddVector("norm.gamma", input.width, 1);
  beta_ = blocks.AddVector("norm.beta", input.width, 0);
  moments_ = blocks.AddStatistics("norm.moments", sums, config.moments_decay());
  for (size_t s = 0; s < scenes_.size(); ++s) {
    const std::string prefix = "scene." + input.scenes[s].name + ".norm.";
    scenes_[s].gamma = blocks.AddVector(prefix + "gamma", input.width, 1);
    scenes_[s].beta = blocks.AddVector(prefix + "beta", input.width, 0);
    scenes_[s].moments = blocks.AddStatistics(prefix + "moments", sums, config.moments_decay());
  }
}

template <typename T>
void StarModel<T>::Check(const Star& config, const ModelChecks& checks) {
  checks.NeedsScenes();
  checks.fields().Range(checks.Path("moments_decay"), double{config.moments_decay()}, 0, 0.999999);
  CheckLayers(checks.Path("aux_dnn"), config.aux_dnn(), Layers::kOptional, checks.fields());
  checks.EmbeddingDim("scene_embedding_dim", config.scene_embedding_dim());
}

// What rows of a scene are normalised with; null moments are those of the rows themselves.
template <typename T>
Moments<T> StarModel<T>::NormalizeBy(const Pass<T>& pass, uint32_t scene, const Var<T>& e) const {
  const Var<T>& of_all = pass.block(moments_);
  if (scene == kUnlistedScene) {
    return MomentsOf(pass.tape, of_all);
  }
  const Var<T>& own = pass.block(scenes_[scene].moments);
  if (pass.purpose == Pass<T>::Purpose::kScore) {
    return MomentsOf(pass.tape, HasMoments(own) ? own : of_all);
  }
  CountMoments(pass.tape, e, own);
  CountMoments(pass.tape, e, of_all);
  return {};
}

template <typename T>
Var<T> StarModel<T>::Normalize(const Pass<T>& pass, uint32_t scene, const Var<T>& e) const {
  Var<T> gamma = pass.block(gamma_);
  Var<T> beta = pass.block(beta_);
  if (scene != kUnlistedScene) {
    gamma = Multiply(pass.tape, gamma, pass.block(scenes_[scene].gamma));
    beta = Add(pass.tape, beta, pass.block(scenes_[scene].beta));
  }
  return NormalizeColumns(pass.tape, e, gamma, beta, NormalizeBy(pass, scene, e));
}

template <typename T>
typename StarModel<T>::TowerInputs StarModel<T>::Share(const Pass<T>& pass,
                                                       const Var<T>& input) const {
  const std::span<Var<T>> normal = pass.NewVars(pass.scenes.size());
  const std::span<Var<T>> embeddings = pass.NewVars(pass.scenes.size());
  for (size_t i = 0; i < pass.scenes.size(); ++i) {
    const SceneRows& rows = pass.scenes[i];
    if (has_norm_) {
      normal[i] = Normalize(pass, rows.scene, SliceRows(input, rows.begin, rows.rows));
    }
    Var<T> z = pass.block(embedding_);
    if (rows.scene != kUnlistedScene) {
      z = Add(pass.tape, z, pass.block(scenes_[rows.scene].embedding));
    }
    embeddings[i] = RepeatRow(pass.tape, z, rows.rows);
  }
  const Var<T> z = ConcatRows<T>(pass.tape, embeddings);
  const Var<T> parts[] = {z, input, has_norm_ ? ConcatRows<T>(pass.tape, normal) : input};
  const Var<T> all = ConcatColumns<T>(pass.tape, std::span(parts).first(has_norm_ ? 3 : 2));
  if (pass.shared != nullptr) {
    *pass.shared = {.output = all, .above = pass.tape.Mark()};
  }
  return {.x = SliceColumns(all, all.cols - input.cols, input.cols),
          .aux = SliceColumns(all, 0, z.cols + input.cols)};
}

template <typename T>
void StarModel<T>::Forward(const Pass<T>& pass, const Var<T>& input,
                           std::span<Var<T>> logits) const {
  const TowerInputs shared = Share(pass, input);
  const std::span<Var<T>> scores = pass.NewVars(pass.scenes.size());
  for (size_t k = 0; k < tasks_.size(); ++k) {
    const TaskTower::Isolation isolation = tasks_[k].tower.isolation();
    const Var<T> x = TowerInput(shared.x, isolation);
    for (size_t i = 0; i < scores.size(); ++i) {
      const SceneRows& rows = pass.scenes[i];
      Pass<T> own = pass;
      own.dropout.first_row += rows.begin;
      const SceneOverlay* change =
          rows.scene != kUnlistedScene && scenes_[rows.scene].towers[k].has_value()
              ? &*scenes_[rows.scene].towers[k]
              : nullptr;
      scores[i] = tasks_[k].tower.Forward(change != nullptr ? change->Over(own) : own,
                                          SliceRows(x, rows.begin, rows.rows));
    }
    logits[k] = Add(pass.tape, ConcatRows<T>(pass.tape, scores),
                    tasks_[k].aux.Forward(pass, TowerInput(shared.aux, isolation)));
  }
}

template class StarModel<float>;
template class StarModel<double>;

}  // namespace antiphon
