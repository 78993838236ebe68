#include "tests/cluster/scene_scorer.h"

#include <cstring>

#include <gtest/gtest.h>

#include "common/base/file_system.h"
#include "common/data/batch.h"
#include "common/math/gemm.h"
#include "models/checked_job.h"

namespace antiphon {
namespace {

// The current values of every block of the model's plan, without steps and optimizer state.
std::vector<std::vector<float>> BlockValues(const TrainedBits& model) {
  std::vector<std::vector<float>> values;
  for (const BlockSpec& block : model.plan.schema().blocks()) {
    const std::string bits = BlockBits(model, block.name());
    std::vector<float>& floats = values.emplace_back(size_t{block.rows()} * block.cols());
    EXPECT_GE(bits.size(), sizeof(uint64_t) + floats.size() * sizeof(float)) << block.name();
    std::memcpy(floats.data(), bits.data() + sizeof(uint64_t), floats.size() * sizeof(float));
  }
  return values;
}

std::vector<float> Table(size_t dim) {
  std::vector<float> values;
  for (size_t i = 0; i < 5 * dim; ++i)
    values.push_back(static_cast<float>(i % 7) * 0.1F - 0.3F);
  return values;
}

}  // namespace

SceneScorer::SceneScorer(const TrainedBits& model, const std::string& job_path,
                         const std::vector<std::string>& overrides)
    : blocks_(BlockValues(model)), block_views_(blocks_.begin(), blocks_.end()) {
  PosixFileSystem fs;
  StatusOr<JobFile> job = LoadCheckedJob(fs, job_path, overrides);
  EXPECT_TRUE(job.ok()) << job.status();
  StatusOr<std::unique_ptr<ModelRunner>> runner =
      ModelRunner::Create(job->job, model.plan.schema(), Gemm::Create(GemmBackend::kEigen), {});
  EXPECT_TRUE(runner.ok()) << runner.status();
  runner_ = std::move(*runner);
}

std::vector<std::vector<float>> SceneScorer::Score(uint32_t scene) {
  constexpr uint32_t kRows = 20;
  Batch batch;
  batch.rows = kRows;
  batch.sparse.resize(2);
  std::vector<std::vector<uint32_t>> row_of_value(2);
  for (size_t column = 0; column < 2; ++column) {
    for (uint32_t r = 0; r <= kRows; ++r)
      batch.sparse[column].offsets.push_back(r);
    for (uint32_t r = 0; r < kRows; ++r)
      row_of_value[column].push_back(r % 5);
  }
  batch.dense_width = 1;
  for (uint32_t r = 0; r < kRows; ++r)
    batch.dense.push_back(0.05F * static_cast<float>(r));
  batch.labels.assign(2, std::vector<float>(kRows, 1));
  batch.scene.assign(kRows, scene);
  const std::vector<float> user = Table(8);
  const std::vector<float> item = Table(4);
  const std::vector<std::span<const float>> tables = {user, item};
  StepOutput output;
  runner_->Score(
      {.batch = &batch, .row_of_value = row_of_value, .table_rows = tables, .blocks = block_views_},
      output);
  return output.logits;
}

}  // namespace antiphon
