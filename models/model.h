// Model: from the input matrix (pooled embeddings beside numbers, one row a sample) to one logit a
// task, and from labels to losses. Layers and models are built over a BlockList, know their blocks
// by id and are frozen then: any number of passes may run at once, each on its own tape.
//
// A new model is a class with a page of its own, a message in proto/job.proto and one line in
// model.cc, where all are chosen. Its constructor takes (message, const InputShape&, BlockList&).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "models/block_list.h"
#include "models/scene_order.h"
#include "models/shared_layer.h"
#include "models/tape/elementwise_ops.h"
#include "models/tape/loss_ops.h"
#include "models/tape/tape.h"
#include "models/task_events.h"
#include "models/task_loss.h"
#include "proto/job.pb.h"

namespace google::protobuf {
class FieldDescriptor;
}

namespace antiphon {

class ModelChecks;

// One forward pass over some rows of a batch.
template <typename T>
struct Pass {
  Tape<T>& tape;
  std::span<const Var<T>> blocks;                                   // by BlockId
  enum class Purpose { kScore, kTrain } purpose = Purpose::kScore;  // dropout only in training
  DropoutSeed dropout;
  std::span<const SceneRows> scenes = {};  // all rows, for a model that wants them by scene
  // Where the model says which layer is the last one that all tasks share; null: nobody asks.
  SharedLayer<T>* shared = nullptr;

  const Var<T>& block(BlockId id) const { return blocks[id]; }

  // Memory of the tape for `count` Vars, empty ones.
  std::span<Var<T>> NewVars(size_t count) const {
    Var<T>* vars = tape.template Scratch<Var<T>>(count);
    std::uninitialized_value_construct_n(vars, count);
    return {vars, count};
  }
};

// What a model makes of the rows of a categorical feature's table.
struct RowParts {
  uint32_t linear = 0;    // leading floats that are plain weights; they start at 0
  bool embedding = true;  // the other floats
  bool summed = true;     // the weights of all features are added up; else each has columns
  const OptimizerConfig* linear_optimizer = nullptr;  // null: that of the embedding
};

// The columns of one categorical feature.
struct ColumnRange {
  uint32_t begin = 0;
  uint32_t width = 0;
};

// The columns of one feature group.
struct InputGroup {
  std::string name;
  uint32_t begin = 0;
  uint32_t width = 0;
};

// A scene of the job, SceneRows::scene is its index.
struct InputScene {
  std::string name;
  std::vector<std::string> tasks = {};  // tower names; empty: all
  InputGroup private_group = {};        // width 0: it has none

  bool HasTask(const std::string& tower_name) const;
};

// What a model is told about its input.
struct InputShape {
  uint32_t width = 0;
  uint32_t linear = 0;                  // leading columns that are plain weights
  std::vector<InputGroup> groups = {};  // side by side, in this order
  std::vector<InputScene> scenes = {};
  std::vector<ColumnRange> fields = {};  // those that have an embedding
};

template <typename T>
class Model {
 public:
  virtual ~Model() = default;

  // What a model may say of its message; one that needs more than this has functions of its own
  // by these names.
  template <typename Message>
  static void Check(const Message&, const ModelChecks&) {}
  template <typename Message>
  static RowParts Parts(const Message&) {
    return {};
  }
  // One a task, in order; none where tasks have nothing to do with each other.
  template <typename Message>
  static std::vector<TaskEvent> Events(const Message&) {
    return {};
  }

  // What Forward describes in Pass::shared.
  template <typename Message>
  static SharedPart Shares(const Message&) {
    return SharedPart::kNone;
  }

  // How a pass's rows are to lie.
  virtual RowGrouping grouping() const { return RowGrouping::kNone; }

  // How many logits Forward fills: one a task, unless a task has several towers.
  virtual size_t LogitCount(size_t tasks) const { return tasks; }

  // Fills every logit, rows x 1.
  virtual void Forward(const Pass<T>& pass, const Var<T>& input,
                       std::span<Var<T>> logits) const = 0;

  // Records every task's loss and fills sums[k], the plain weighted sum. The gradient of task k is
  // multiplied with scales[k] as it stands when Backward runs.
  virtual void Losses(Tape<T>& tape, std::span<const Var<T>> logits,
                      std::span<const Target<T>> targets, std::span<const T> scales,
                      std::span<double> sums) const {
    for (size_t k = 0; k < targets.size(); ++k) {
      sums[k] = TaskLoss(tape, losses_[k], logits, k, targets[k], &scales[k]);
    }
  }

  // The logits of what task k predicts, rows x 1, or the outputs of a regression or a ranking; from
  // the number of tasks on, logits of the events that have a conditional_name, in order.
  virtual Var<T> Predict(Tape<T>& tape, std::span<const Var<T>> logits, size_t k) const {
    return PredictedLogits(tape, losses_[k], logits[k]);
  }

  // By task; MakeModel gives them.
  void set_losses(std::vector<LossSpec> losses) { losses_ = std::move(losses); }

 private:
  std::vector<LossSpec> losses_;
};

// The field of ModelConfig that the model reads when model_class is this.
struct ModelField {
  std::string model_class;
  const google::protobuf::FieldDescriptor* field = nullptr;
};
std::vector<ModelField> ModelFields();
// Of any text; null for an unknown class.
const google::protobuf::FieldDescriptor* FindModelField(std::string_view model_class);

// The rest is asked of a known class.

// Reports what the class itself finds wrong with its message.
bool CheckModelMessage(const ModelConfig& config, const ModelChecks& checks);

// With what the job's fm adds. Valid as long as `config`.
RowParts RowPartsOf(const ModelConfig& config);

// How the tasks depend on each other; empty where they do not.
std::vector<TaskEvent> TaskEventsOf(const ModelConfig& config);

// Where GradNorm measures.
SharedPart SharedPartOf(const ModelConfig& config);

// The model of the job; its blocks are added to `blocks`. The config has passed CheckModelConfig.
template <typename T>
std::unique_ptr<Model<T>> MakeModel(const ModelConfig& config, const InputShape& input,
                                    BlockList& blocks);

}  // namespace antiphon
