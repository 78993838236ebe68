// RunnerTest: a ModelRunner for a job, with the schema that it goes by.
#pragma once

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "common/math/gemm.h"
#include "models/model_runner.h"
#include "models/parameter_schema.h"
#include "tests/models/sample_job.h"

namespace antiphon {

struct StepResult {
  StepGradients gradients;
  StepOutput output;
};

class RunnerTest : public testing::Test {
 protected:
  void Build(const Job& job, int compute_threads = 1) {
    StatusOr<ParameterSchema> schema = BuildParameterSchema(job);
    ASSERT_TRUE(schema.ok()) << schema.status();
    schema_ = *schema;
    StatusOr<std::unique_ptr<ModelRunner>> runner =
        ModelRunner::Create(job, schema_, gemm_, {.compute_threads = compute_threads});
    ASSERT_TRUE(runner.ok()) << runner.status();
    runner_ = std::move(*runner);
  }

  StepResult Train(SampleStep& step, uint64_t dropout_seed = 1) {
    StepResult result;
    runner_->Train(step.Input(), dropout_seed, result.gradients, result.output);
    return result;
  }

  BlockId Block(const std::string& name) const {
    for (int i = 0; i < schema_.blocks_size(); ++i) {
      if (schema_.blocks(i).name() == name)
        return static_cast<BlockId>(i);
    }
    ADD_FAILURE() << "no block " << name;
    return 0;
  }
  const std::string& BlockName(size_t block) const {
    return schema_.blocks(static_cast<int>(block)).name();
  }

  const Gemm gemm_ = Gemm::Create(GemmBackend::kAuto);
  ParameterSchema schema_;
  std::unique_ptr<ModelRunner> runner_;
};

}  // namespace antiphon
