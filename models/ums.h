// UMS, the unified multi-scene multi-task network: one model for all scenes, in which a scene owns
// what makes it different and nothing else.
//
//   u     = public(e)                          what all scenes share
//   g_k   = softmax(W_k [u ; z + z_s] + b_k)   f_i = expert_i(u)
//   r_k   = sum_i g_k,i f_i
//   m_s   = private_s([q_s ; sg(u)])           q_s: the scene's private features
//   o_s,k = r_k * 2 sigmoid(V_s m_s) + B_s m_s
//   a_k   = tower_k(o_s,k) with W + D_s,k for W, or + tower_s,k(o_s,k)
//
// z_s, V_s, B_s, D_s,k and the last layer of tower_s,k start at 0: a new scene is the public model,
// tower_k(r_k) with z, bit for bit. A scene that is not listed stays there. Every row goes through
// the parts of its own scene only. sg: no gradient (stop_public_gradient), so that private networks
// do not pull at the public one. (The gate of m_s is that of PEPNet, Chang et al., KDD 2023.)
//
// cross_scene_scores adds sum_{j != s} w_s,j sg(tower_j,k(r_k)): what other scenes would say, which
// does not teach them; w starts at 0. (HMoE, Li et al., 2020.)
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "models/gate.h"
#include "models/input_columns.h"
#include "models/mlp.h"
#include "models/model.h"
#include "models/scene_overlay.h"
#include "proto/job.pb.h"

namespace antiphon {

template <typename T>
class UmsModel final : public Model<T> {
 public:
  UmsModel(const Ums& config, const InputShape& input, BlockList& blocks);

  static void Check(const Ums& config, const ModelChecks& checks);
  static SharedPart Shares(const Ums&) { return SharedPart::kWeights; }

  RowGrouping grouping() const override { return RowGrouping::kByScene; }
  void Forward(const Pass<T>& pass, const Var<T>& input, std::span<Var<T>> logits) const override;

 private:
  struct Task {
    std::string name;
    Gate gate;
    Tower tower;
    BlockId begin = 0;  // of the tower's blocks
    BlockId end = 0;
  };
  struct PrivateNetwork {
    InputGroup features;
    Mlp mlp;
    BlockId gate = 0;   // V
    BlockId shift = 0;  // B
  };
  // What a scene has of a task.
  struct SceneTask {
    std::optional<SceneOverlay> delta;
    std::optional<Tower> tower;
    std::vector<BlockId> cross_weight;  // by the other scene; empty without cross_scene_scores
  };
  struct Scene {
    BlockId embedding = 0;
    std::optional<PrivateNetwork> private_network;
    std::vector<SceneTask> tasks;
  };

  // What scenes read, all rows of a pass: features, the public network's output, r by task.
  struct SceneInput {
    Var<T> features;
    Var<T> u;
    std::span<const Var<T>> r;
  };

  void AddScene(const Ums& config, const InputScene& input, BlockList& blocks);
  void AddCrossWeights(const InputShape& input, BlockList& blocks);

  Var<T> SceneEmbeddings(const Pass<T>& pass) const;
  // Fills scores[k] for the rows of one scene.
  void ScoreScene(const Pass<T>& pass, const SceneRows& rows, const SceneInput& input,
                  std::span<Var<T>> scores) const;
  // m_s
  Var<T> PrivateOutput(const Pass<T>& pass, const PrivateNetwork& network, const Var<T>& features,
                       const Var<T>& u) const;
  // What the towers of `scene` make of x.
  Var<T> SceneScore(const Pass<T>& pass, uint32_t scene, size_t k, const Var<T>& x) const;
  // `score` and what other scenes would say of r.
  Var<T> CrossScores(const Pass<T>& pass, uint32_t scene, size_t k, const Var<T>& r,
                     const Var<T>& score) const;

  bool stop_public_gradient_;
  InputColumns public_columns_;
  Mlp public_;
  Mlp experts_;
  BlockId embedding_;
  std::vector<Task> tasks_;
  std::vector<Scene> scenes_;
};

}  // namespace antiphon
