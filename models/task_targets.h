// TaskTargets: what each task is to learn from a batch, and how much each sample counts.
//
// A sample takes part in a task when the label is known and its scene has the task. Its weight is
// sample weight x scene weight x the tower's in_ or out_task_space_weight, x positive_weight where
// the label of a classification is 1. An event of a funnel is "one of its ways came about, and its
// own label", and known to be 0 where none did. Metrics use the same targets; for them an event has
// a conditional beside it: its own label where one of its ways came about.
// Owned by one thread; Fill for each batch.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/data/batch.h"
#include "models/task_events.h"
#include "models/task_loss.h"
#include "proto/job.pb.h"

namespace antiphon {

class TaskTargets {
 public:
  // The job has passed CheckModelConfig.
  explicit TaskTargets(const Job& job);

  // `batch` has the label columns of ModelLabels().
  void Fill(const Batch& batch);

  size_t task_count() const { return tasks_.size(); }
  // Tasks, and behind them the conditionals of events that have ways.
  size_t measure_count() const { return targets_.size(); }
  // Means nothing where weight(k) is 0. 0 or 1 for a classification.
  std::span<const float> label(size_t k) const { return targets_[k].label; }
  // 0: the sample takes no part in measure k.
  std::span<const float> weight(size_t k) const { return targets_[k].weight; }
  // What the loss of task k is divided by, of the whole batch; 0 when no sample takes part.
  double divisor(size_t k) const { return targets_[k].divisor; }
  // The weight of task k among the tasks; 0 for one whose loss is masked.
  double task_weight(size_t k) const { return tasks_[k].weight; }
  // Whether task k trains embeddings.
  bool trains_embeddings(size_t k) const { return tasks_[k].trains_embeddings; }
  // Of measure k.
  const LossSpec& loss(size_t k) const { return losses_[k]; }
  // Whether a task compares the samples of a request, so that none may be cut in two.
  bool has_ranking() const;

 private:
  struct Task {
    uint32_t label = 0;  // column of Batch::labels
    int32_t indicator = -1;
    float in_weight = 1;
    float out_weight = 1;
    float weight = 1;
    float positive_weight = 1;
    bool trains_embeddings = true;
    std::vector<uint8_t> in_scene;  // [scene]; empty without scenes
    std::vector<EventWay> ways;     // of an event of a funnel
    size_t conditional = 0;         // its measure; only with ways
  };
  struct TaskTarget {
    std::vector<float> label;
    std::vector<float> weight;
    double divisor = 0;
  };

  void FillWeights(const Batch& batch, const Task& task, TaskTarget& target) const;
  void FillLabels(const Batch& batch, size_t k);
  void FillEvent(const Batch& batch, size_t k);
  float Possible(size_t k, size_t r) const;
  double Divisor(const Batch& batch, size_t k) const;

  std::vector<LossSpec> losses_;  // by measure
  std::vector<Task> tasks_;
  std::vector<float> scene_weight_;  // [scene]; empty without scenes
  ModelConfig::LossReduction reduction_;
  std::vector<TaskTarget> targets_;           // [measure]
  std::vector<std::vector<float>> possible_;  // [task] labels of "one of its ways came about"
};

}  // namespace antiphon
