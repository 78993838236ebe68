// Scorer: rows of text in, what a trained model predicts for them out.
//
// It reads rows as evaluation does: an id that training never met counts as zeros, and nothing is
// created. Weights, times and requests of the job play no part, so rows need not have them, and
// labels only where they are asked for.
// Owned by one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "common/base/types.h"
#include "common/data/batch.h"
#include "common/data/batch_builder.h"
#include "common/math/gemm.h"
#include "models/model_runner.h"
#include "models/step.h"
#include "models/task_loss.h"
#include "models/trained_model.h"

namespace antiphon {

class Scorer {
 public:
  enum class Labels { kIgnore, kRead };

  // `model` and `gemm` outlive the scorer, or `model` until another is used.
  static StatusOr<std::unique_ptr<Scorer>> Create(const TrainedModel& model, const Gemm& gemm,
                                                  int compute_threads,
                                                  Labels labels = Labels::kIgnore);

  const TrainedModel& model() const { return *model_; }
  // Scores by `model` from now on, what was added included. False, and nothing changes, unless it
  // has the very job and plan of the model so far (one object, which versions of a chain share).
  bool Use(const TrainedModel& model);

  // The input fields of the job that a row is scored by, ascending.
  const std::vector<uint32_t>& used_fields() const { return builder_->used_fields(); }
  // What comes out: every task, then the conditionals of a funnel.
  const std::vector<std::string>& measures() const { return measures_; }

  // Adds a row; values[i] is the text of input field i, and only used fields are looked at. A row
  // that cannot be scored is not added; the error names the field and what is wrong with it.
  Status Add(std::span<std::string_view> values);
  uint32_t rows() const { return batch_.rows; }

  // [measure][row] of the rows that were added, of which then there are none: a probability, the
  // number of a regression, the score of a ranking. Valid until the next call.
  const std::vector<std::vector<float>>& Run();
  // What the model is given of those rows; valid until the next call.
  StepInput Gather();
  // Forgets the rows that were added.
  void Drop();
  // What the rows of the last Run were to be, with Labels::kRead; all unknown otherwise.
  const TaskTargets& targets() const { return runner_->targets(); }

 private:
  Scorer(const TrainedModel& model, std::unique_ptr<BatchBuilder> builder,
         std::unique_ptr<ModelRunner> runner, Labels labels);

  // Copies the rows of every value of a column behind those that are there.
  void GatherRows(size_t column);
  // What the runner expects of a batch besides features.
  void FillContext();
  float Predicted(size_t measure, float output) const;

  void TakeBlocks();

  const TrainedModel* model_;  // never null
  const std::unique_ptr<BatchBuilder> builder_;
  const std::unique_ptr<ModelRunner> runner_;
  std::vector<std::string> measures_;
  std::vector<LossSpec> losses_;  // by task
  const Labels read_labels_;
  size_t label_count_;
  std::vector<TableId> table_of_column_;

  Batch batch_;
  std::vector<std::vector<float>> unknown_labels_;  // memory for those of the batch
  std::vector<std::vector<uint32_t>> row_of_value_;
  std::vector<std::vector<float>> rows_;  // by table
  std::vector<std::span<const float>> row_spans_;
  std::vector<std::span<const float>> blocks_;
  StepOutput output_;
};

}  // namespace antiphon
