#include "serving/onnx/model_graph.h"

#include <algorithm>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "models/model.h"
#include "models/model_config.h"
#include "models/sequence_inputs.h"
#include "models/task_loss.h"
#include "serving/onnx/onnx_graph.h"
#include "serving/onnx/onnx_trace.h"

namespace antiphon {
namespace {

// Rows of a traced pass, each with one item in every sequence: how many has no influence on what is
// written.
constexpr uint32_t kTracedRows = 2;

class ModelGraphWriter {
 public:
  explicit ModelGraphWriter(const TrainedModel& trained)
      : trained_(trained),
        config_(trained.job().model_config()),
        gemm_(Gemm::Create(GemmBackend::kEigen)),
        tape_(gemm_, BestKernels()),
        layout_(MakeInputLayout(trained.job())),
        sequences_(layout_, block_list_),
        model_(MakeModel<float>(config_, layout_.shape, block_list_)),
        measures_(MeasureNames(config_)) {}

  StatusOr<onnx::ModelProto> Write(int64_t version) {
    AP_RETURN_IF_ERROR(FindBlocks());
    AddInputs();
    AP_ASSIGN_OR_RETURN(std::vector<OnnxGraph::Value> logits, TraceScenes());
    for (size_t m = 0; m < measures_.size(); ++m) {
      AddOutputs(m, logits[m]);
    }
    return graph_.Build(trained_.job().name(), version);
  }

 private:
  Status FindBlocks() {
    std::map<std::string, BlockId> places;
    const ParameterSchema& schema = trained_.plan().schema();
    for (int i = 0; i < schema.blocks_size(); ++i) {
      places.emplace(schema.blocks(i).name(), static_cast<BlockId>(i));
    }
    for (const BlockSpec& spec : block_list_.specs()) {
      const auto place = places.find(spec.name());
      if (place == places.end() ||
          trained_.block(place->second).size() != size_t{spec.rows()} * spec.cols()) {
        return FailedPreconditionError("the model of this job has a block \"" + spec.name() +
                                       "\" that its weights do not have, or not in this shape");
      }
      block_places_.push_back(place->second);
    }
    return Status();
  }

  void AddInputs() {
    const std::string width = std::to_string(layout_.shape.width);
    graph_.AddInput(kFeaturesInput, onnx::TensorProto::FLOAT, {{"batch", width}});
    const OnnxAttribute rows[] = {{.name = "start", .number = 0}, {.name = "end", .number = 1}};
    const OnnxGraph::Value features[] = {kFeaturesInput};
    batch_ = graph_.AddNode("Shape", features, rows);
    if (HasScenes()) {
      graph_.AddInput(kSceneInput, onnx::TensorProto::INT64, {{"batch"}});
    }
    for (const InputLayout::Sequence& sequence : layout_.sequences) {
      const std::string items = ItemsInput(sequence);
      const std::string dim = std::to_string(layout_.sparse[sequence.column].dim);
      graph_.AddInput(items, onnx::TensorProto::FLOAT, {{items, dim}});
      graph_.AddInput(RowsInput(sequence), onnx::TensorProto::INT64, {{items}});
    }
  }

  bool HasScenes() const { return model_->grouping() != RowGrouping::kNone; }

  // By measure. Rows of a scene that is not listed take the first result.
  StatusOr<std::vector<OnnxGraph::Value>> TraceScenes() {
    AP_ASSIGN_OR_RETURN(std::vector<OnnxGraph::Value> logits, Trace(kUnlistedScene));
    const size_t scenes = HasScenes() ? layout_.shape.scenes.size() : 0;
    for (uint32_t scene = 0; scene < scenes; ++scene) {
      AP_ASSIGN_OR_RETURN(const std::vector<OnnxGraph::Value> own, Trace(scene));
      const OnnxGraph::Value is_scene = graph_.AddNode(
          "Unsqueeze",
          {graph_.AddNode("Equal", {kSceneInput, graph_.AddInts({scene})}), graph_.AddInts({1})});
      for (size_t m = 0; m < logits.size(); ++m) {
        if (own[m] != logits[m]) {
          logits[m] = graph_.AddNode("Where", {is_scene, own[m], logits[m]});
        }
      }
    }
    return logits;
  }

  // What the model makes of rows of one scene, by measure.
  StatusOr<std::vector<OnnxGraph::Value>> Trace(uint32_t scene) {
    tape_.Reset(Tape<float>::Recording::kNo);
    OnnxTrace trace(graph_, batch_);
    std::vector<Var<float>> blocks;
    for (size_t i = 0; i < block_places_.size(); ++i) {
      const BlockSpec& spec = block_list_.specs()[i];
      blocks.push_back(
          tape_.Constant(trained_.block(block_places_[i]).data(), spec.rows(), spec.cols()));
      trace.matrices().SetConstant(blocks.back(), spec.name());
    }
    tape_.set_trace(&trace);
    const SceneRows rows = {.scene = scene, .begin = 0, .rows = kTracedRows};
    const Pass<float> pass{.tape = tape_,
                           .blocks = blocks,
                           .dropout = {},
                           .scenes = {&rows, HasScenes() ? size_t{1} : size_t{0}}};
    const Var<float> input = NewInput(kFeaturesInput, layout_.shape.width, trace);
    for (size_t i = 0; i < layout_.sequences.size(); ++i) {
      TraceSequence(pass, i, input, trace);
    }
    std::vector<Var<float>> logits(model_->LogitCount(Towers(config_).size()));
    model_->Forward(pass, input, logits);
    std::vector<OnnxGraph::Value> predicted;
    for (size_t m = 0; m < measures_.size(); ++m) {
      predicted.push_back(trace.matrices().Read(model_->Predict(tape_, logits, m)));
    }
    tape_.set_trace(nullptr);
    AP_RETURN_IF_ERROR(trace.status().WithContext("model_class " + config_.model_class()));
    return predicted;
  }

  Var<float> NewInput(const std::string& name, uint32_t cols, OnnxTrace& trace) {
    const Var<float> input = tape_.New(kTracedRows, cols, kNoGradients);
    std::fill_n(input.value, input.size(), 0.0F);
    trace.matrices().Set(input, name);
    return input;
  }

  void TraceSequence(const Pass<float>& pass, size_t index, const Var<float>& input,
                     OnnxTrace& trace) {
    const InputLayout::Sequence& sequence = layout_.sequences[index];
    const Var<float> items =
        NewInput(ItemsInput(sequence), layout_.sparse[sequence.column].dim, trace);
    uint32_t* offsets = tape_.Scratch<uint32_t>(kTracedRows + 1);
    std::iota(offsets, offsets + kTracedRows + 1, 0U);
    const Segments items_of_rows = {.offsets = offsets, .count = kTracedRows};
    trace.segments().Set(items_of_rows, {.owners = RowsInput(sequence), .count = batch_});
    sequences_.FillColumns(pass, index, items, items_of_rows, input);
  }

  void AddOutputs(size_t measure, const OnnxGraph::Value& column) {
    const std::string& name = measures_[measure];
    const OnnxGraph::Value logits = graph_.AddNode("Reshape", {column, graph_.AddInts({-1})});
    const auto add = [&](const std::string& kind, const OnnxGraph::Value& value) {
      graph_.AddOutput(kind + name, value, onnx::TensorProto::FLOAT, {{"batch"}});
    };
    add("logits_", logits);
    const std::vector<LossSpec> losses = LossSpecs(config_);
    if (measure < losses.size() && losses[measure].is_ranking()) {
      return;
    }
    if (measure < losses.size() && losses[measure].is_regression()) {
      const bool is_log = losses[measure].type == TaskTower::WEIGHTED_LOGISTIC;
      add("numbers_", is_log ? graph_.AddNode("Exp", {logits}) : logits);
      return;
    }
    add("probs_", graph_.AddNode("Sigmoid", {logits}));
  }

  const TrainedModel& trained_;
  const ModelConfig& config_;
  const Gemm gemm_;
  Tape<float> tape_;
  const InputLayout layout_;
  BlockList block_list_;
  const SequenceInputs sequences_;
  const std::unique_ptr<Model<float>> model_;
  const std::vector<std::string> measures_;
  std::vector<BlockId> block_places_;  // by block of the model
  OnnxGraph graph_;
  OnnxGraph::Value batch_;
};

}  // namespace

std::string ItemsInput(const InputLayout::Sequence& sequence) {
  return "items_" + sequence.name;
}

std::string RowsInput(const InputLayout::Sequence& sequence) {
  return "rows_" + sequence.name;
}

StatusOr<onnx::ModelProto> WriteModelGraph(const TrainedModel& model, int64_t version) {
  return ModelGraphWriter(model).Write(version);
}

}  // namespace antiphon
