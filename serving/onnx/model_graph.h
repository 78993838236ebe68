// A trained model as an ONNX graph: from the columns of its input to what it predicts.
//
//   features              float [batch, width]   models/input_layout.h, columns of sequences unused
//   scene                 int64 [batch]          where the model has parts of single scenes: its
//                                                index, any other number for a scene it has not met
//   items_<seq>           float [items_<seq>, dim]
//   rows_<seq>            int64 [items_<seq>]    the sample of each item, ascending
//   logits_<name>         float [batch]          of every task, then of every conditional
//   probs_<name>          float [batch]          of those that are probabilities
//   numbers_<name>        float [batch]          of regressions
//
// The model runs once for each scene with a trace on its tape (models/tape/op_trace.h); what the
// scenes have in common is in the graph once, and each row takes the result of its scene.
#pragma once

#include <string>

#include "common/base/status.h"
#include "models/input_layout.h"
#include "models/trained_model.h"
#include "proto/onnx.pb.h"

namespace antiphon {

// Names of the graph's inputs.
inline constexpr char kFeaturesInput[] = "features";
inline constexpr char kSceneInput[] = "scene";
std::string ItemsInput(const InputLayout::Sequence& sequence);
std::string RowsInput(const InputLayout::Sequence& sequence);

// kUnimplemented: the model does what has no translation, which is a bug of ours.
StatusOr<onnx::ModelProto> WriteModelGraph(const TrainedModel& model, int64_t version);

}  // namespace antiphon
