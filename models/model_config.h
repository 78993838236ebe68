// What the job says about its model, asked in one place: which class, which towers, which labels.
//
// Pure functions of a job that has passed CheckModelConfig, unless a comment says otherwise.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/data/batch_builder.h"
#include "proto/job.pb.h"

namespace antiphon {

// A tower and where it stands, such as "model_config.mmoe.task_towers[1]".
struct TowerRef {
  const TaskTower* tower = nullptr;
  std::string path;
};
// Task k of a job is tower k: every TaskTower of the class's message, in the order of its fields.
// Of any job: an unknown class has none. Valid as long as `model`.
std::vector<TowerRef> Towers(const ModelConfig& model);

// tower_name of every task.
std::vector<std::string> TaskNames(const ModelConfig& model);

// What is measured: every task, then what a funnel says of an event where it was possible.
std::vector<std::string> MeasureNames(const ModelConfig& model);

// The labels that the model reads, in the order of Batch::labels.
LabelColumns ModelLabels(const ModelConfig& model);

// A layer's activation by its name in the job; PReLU is one too. Of any text.
enum class LayerActivation { kLinear, kRelu, kSigmoid, kTanh, kPRelu };
std::optional<LayerActivation> ParseActivation(std::string_view text);

}  // namespace antiphon
