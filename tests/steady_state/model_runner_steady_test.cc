// A training step like the last one allocates nothing, whatever the model. With the products of
// Eigen: oneDNN takes and gives back some scratch memory of its own in every product.
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "models/model_runner.h"
#include "models/parameter_schema.h"
#include "tests/models/sample_job.h"
#include "tests/steady_state/allocation_counter.h"

namespace antiphon {
namespace {

constexpr int kWarmUpSteps = 3;
constexpr int kSteps = 20;

struct NamedModel {
  const char* name;
  const char* config;
};

class ModelRunnerSteadyTest : public testing::TestWithParam<NamedModel> {
 protected:
  // On one thread: the counter sees no other.
  void SetUp() override {
    const Job job = SampleJob(GetParam().config);
    StatusOr<ParameterSchema> schema = BuildParameterSchema(job);
    ASSERT_TRUE(schema.ok()) << schema.status();
    schema_ = *schema;
    StatusOr<std::unique_ptr<ModelRunner>> runner =
        ModelRunner::Create(job, schema_, gemm_, {.compute_threads = 1});
    ASSERT_TRUE(runner.ok()) << runner.status();
    runner_ = std::move(*runner);
  }

  const Gemm gemm_ = Gemm::Create(GemmBackend::kEigen);
  ParameterSchema schema_;
  std::unique_ptr<ModelRunner> runner_;
};

TEST_P(ModelRunnerSteadyTest, TrainsWithoutAnAllocation) {
  SampleStep step(schema_, 200, 5, 0.7);
  const StepInput& input = step.Input();
  StepGradients gradients;
  StepOutput output;
  for (int i = 0; i < kWarmUpSteps; ++i) {
    runner_->Train(input, 1, gradients, output);
  }
  const AllocationCounter counter;

  for (int i = 0; i < kSteps; ++i) {
    runner_->Train(input, static_cast<uint64_t>(i), gradients, output);
  }

  EXPECT_EQ(counter.count(), 0U);
}

TEST_P(ModelRunnerSteadyTest, ScoresWithoutAnAllocation) {
  SampleStep step(schema_, 200, 5);
  const StepInput& input = step.Input();
  StepOutput output;
  for (int i = 0; i < kWarmUpSteps; ++i) {
    runner_->Score(input, output);
  }
  const AllocationCounter counter;

  for (int i = 0; i < kSteps; ++i) {
    runner_->Score(input, output);
  }

  EXPECT_EQ(counter.count(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Models, ModelRunnerSteadyTest,
                         testing::Values(NamedModel{.name = "Mmoe", .config = R"(
          model_class: "MMoE" mmoe {
            expert_dnn { hidden_units: [32, 16] dropout_ratio: [0.1, 0.2] } num_expert: 3
            task_towers { tower_name: "click" label_name: "click"
                          dnn { hidden_units: 5 use_ln: true } }
            task_towers { tower_name: "like" label_name: "like" weight: 0.5 } })"},
                                         NamedModel{.name = "Esmm", .config = R"(
          model_class: "ESMM" esmm {
            bottom_dnn { hidden_units: 8 activation: "prelu" }
            ctr_tower { tower_name: "ctr" label_name: "click" }
            cvr_tower { tower_name: "cvr" label_name: "like" weight: 1.5 } })"},
                                         NamedModel{.name = "Ums", .config = R"(
          model_class: "UMS" ums {
            public_dnn { hidden_units: 6 }
            expert_dnn { hidden_units: 5 } num_expert: 2 scene_embedding_dim: 3
            private_dnn { hidden_units: 4 }
            task_towers { tower_name: "click" label_name: "click" dnn { hidden_units: 4 } }
            task_towers { tower_name: "like" label_name: "like" } })"},
                                         NamedModel{.name = "Star", .config = R"(
          model_class: "STAR" star {
            aux_dnn { hidden_units: 4 }
            task_towers { tower_name: "click" label_name: "click" dnn { hidden_units: 4 } }
            task_towers { tower_name: "like" label_name: "like" } })"}),
                         [](const auto& model) { return std::string(model.param.name); });

}  // namespace
}  // namespace antiphon
