// A funnel of events, each possible once others have happened, or have not:
//
//   P(event) = sum over its ways of P(way) sigmoid(a)     a = tower_way(h),  h = bottom(e), or e
//   loss     = sum over events of weight l(event, P(event))
//
// Every loss runs over all impressions, so that what happens late in the funnel learns without the
// bias of the samples that got there. All in log space. Task k predicts P(event k); measured beside
// it is P(event k | one of its ways), where that came about.
//
// click -> watch -> gift multiplies three probabilities. ESMM (Ma et al., SIGIR 2018) has two
// events; ESM2 (Wen et al., SIGIR 2020) has an event after another and after its absence:
// P(buy) = y1 (y2 y3 + (1 - y2) y4).
#pragma once

#include <vector>

#include "models/funnel_graph.h"
#include "models/mlp.h"
#include "models/model.h"
#include "proto/job.pb.h"

namespace antiphon {

template <typename T>
class FunnelModel final : public Model<T> {
 public:
  FunnelModel(const Funnel& config, const InputShape& input, BlockList& blocks);
  FunnelModel(const Esmm& config, const InputShape& input, BlockList& blocks);

  static void Check(const Funnel& config, const ModelChecks& checks);
  static void Check(const Esmm& config, const ModelChecks& checks);
  static std::vector<TaskEvent> Events(const Funnel& config);
  static std::vector<TaskEvent> Events(const Esmm& config);

  // The bottom, where there is one.
  template <typename Message>
  static SharedPart Shares(const Message& config) {
    return config.has_bottom_dnn() ? SharedPart::kWeights : SharedPart::kNone;
  }

  size_t LogitCount(size_t) const override { return graph_.logit_count(); }
  void Forward(const Pass<T>& pass, const Var<T>& input, std::span<Var<T>> logits) const override;
  void Losses(Tape<T>& tape, std::span<const Var<T>> logits, std::span<const Target<T>> targets,
              std::span<const T> scales, std::span<double> sums) const override;
  Var<T> Predict(Tape<T>& tape, std::span<const Var<T>> logits, size_t k) const override;

 private:
  FunnelGraph graph_;
  std::vector<size_t> conditionals_;  // events that have ways
  std::vector<bool> has_loss_;        // [event]
  bool stop_earlier_grad_;
  Mlp bottom_;
  std::vector<Tower> towers_;                    // one a logit
  std::vector<TaskTower::Isolation> isolation_;  // of each
};

}  // namespace antiphon
