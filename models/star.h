// STAR, star topology adaptive recommender (Sheng et al., CIKM 2021): a scene's weights are those
// of all scenes times its own, element by element.
//
//   x   = gamma gamma_s (e - mean_s) / deviation_s + beta + beta_s        partitioned norm
//   h   = relu((W * W_s) x + b + b_s), ...                                for every layer
//   a_k = tower_k,s(x) + aux_k([z + z_s ; e])
//
// W_s and gamma_s start at 1, b_s, beta_s and z_s at 0, so a new scene starts as what all share.
// Training takes the moments of the scene's rows of the batch, so it wants large batches; what it
// counts is pushed as sums, which add up over workers, and evaluation uses those. A scene that has
// not counted anything, or is not listed, uses what all scenes counted.
#pragma once

#include <optional>
#include <vector>

#include "models/mlp.h"
#include "models/model.h"
#include "models/scene_overlay.h"
#include "models/tape/norm_ops.h"
#include "proto/job.pb.h"

namespace antiphon {

template <typename T>
class StarModel final : public Model<T> {
 public:
  StarModel(const Star& config, const InputShape& input, BlockList& blocks);

  static void Check(const Star& config, const ModelChecks& checks);
  static SharedPart Shares(const Star&) { return SharedPart::kOutput; }

  RowGrouping grouping() const override { return RowGrouping::kWholeScenes; }
  void Forward(const Pass<T>& pass, const Var<T>& input, std::span<Var<T>> logits) const override;

 private:
  struct Task {
    Tower tower;
    Tower aux;
  };
  struct Scene {
    BlockId gamma = 0;  // those three only with partitioned_norm
    BlockId beta = 0;
    BlockId moments = 0;
    BlockId embedding = 0;
    std::vector<std::optional<SceneOverlay>> towers;  // by task; nothing where it has no such task
  };
  // What the towers of all tasks read.
  struct TowerInputs {
    Var<T> x;
    Var<T> aux;  // [z + z_s ; e]
  };

  void AddNorm(const Star& config, const InputShape& input, BlockList& blocks);
  TowerInputs Share(const Pass<T>& pass, const Var<T>& input) const;
  Var<T> Normalize(const Pass<T>& pass, uint32_t scene, const Var<T>& e) const;
  Moments<T> NormalizeBy(const Pass<T>& pass, uint32_t scene, const Var<T>& e) const;

  bool has_norm_;
  BlockId gamma_ = 0;
  BlockId beta_ = 0;
  BlockId moments_ = 0;
  BlockId embedding_;
  std::vector<Task> tasks_;
  std::vector<Scene> scenes_;
};

}  // namespace antiphon
