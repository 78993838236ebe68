// Progressive layered extraction (equations 2 to 7 of Tang et al., RecSys 2020). Level j has
// experts of each task and shared ones; x_k and x_s start as e:
//
//   S_k  = [own experts of task k on x_k ; shared experts on x_s]
//   x_k' = softmax(W_k x_k + b_k) S_k
//   x_s' = softmax(W_s x_s + b_s) [experts of all tasks ; shared experts]    not at the last level
//   a_k  = tower_k(x_k)                                                       above the last level
//
// So the experts of a task learn from that task alone at the last level, the shared ones from all.
// One level is CGC (customised gate control).
#pragma once

#include <string>
#include <vector>

#include "models/gate.h"
#include "models/mlp.h"
#include "models/model.h"
#include "proto/job.pb.h"

namespace antiphon {

template <typename T>
class PleModel final : public Model<T> {
 public:
  PleModel(const Ple& config, const InputShape& input, BlockList& blocks);

  static void Check(const Ple& config, const ModelChecks& checks);
  static SharedPart Shares(const Ple&) { return SharedPart::kWeights; }

  void Forward(const Pass<T>& pass, const Var<T>& input, std::span<Var<T>> logits) const override;

 private:
  // Streams 0 .. K - 1 are those of the tasks, stream K is the shared one.
  struct Level {
    std::vector<Mlp> experts;
    std::vector<Gate> gates;  // the last level has none for the shared stream
  };

  void AddLevel(const ExtractionNetwork& network, const Ple& config, uint32_t inputs,
                BlockList& blocks);

  std::vector<Level> levels_;
  std::vector<Tower> towers_;
};

}  // namespace antiphon
