#include "models/task_targets.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/math/kernels.h"
#include "tests/models/sample_job.h"
#include "tests/support/golden_vector.h"

namespace antiphon {
namespace {

using nlohmann::json;
using testing::ElementsAre;

// A job of three tasks in three scenes, as in tests/golden/models/masked_bce.json.
Job MaskedJob(const json& inputs, ModelConfig::LossReduction reduction) {
  Job job;
  ModelConfig& model = *job.mutable_model_config();
  model.set_model_class("DNN");
  model.set_loss_reduction(reduction);
  for (int k = 0; k < 3; ++k) {
    TaskTower& tower = *model.mutable_dnn_model()->add_task_towers();
    tower.set_tower_name("task" + std::to_string(k));
    tower.set_label_name("label" + std::to_string(k));
    tower.set_weight(inputs["omega"][static_cast<size_t>(k)].get<float>());
  }
  for (size_t s = 0; s < 3; ++s) {
    job.mutable_data_config()->add_scenes("scene" + std::to_string(s));
    SceneTasks& line = *model.add_scene_tasks();
    line.set_scene("scene" + std::to_string(s));
    line.set_loss_weight(inputs["scene_weight"][s].get<float>());
    for (size_t k = 0; k < 3; ++k) {
      if (inputs["scene_has_task"][s][k].get<int>() == 1) {
        line.add_tower_names("task" + std::to_string(k));
      }
    }
  }
  return job;
}

Batch MaskedBatch(const json& inputs) {
  Batch batch;
  batch.rows = static_cast<uint32_t>(inputs["v"].size());
  batch.sample_weight = inputs["v"].get<std::vector<float>>();
  batch.scene = inputs["scene"].get<std::vector<uint32_t>>();
  batch.labels.resize(3);
  for (const json& row : inputs["y"]) {
    for (size_t k = 0; k < 3; ++k)
      batch.labels[k].push_back(row[k] < 0 ? kUnknownLabel : row[k].get<float>());
  }
  return batch;
}

TEST(TaskTargetsTest, MasksAndDivisorsEqualReferenceVector) {
  const json vector = LoadVector("masked_bce");
  const json& inputs = vector["inputs"];
  const Batch batch = MaskedBatch(inputs);
  const std::pair<const char*, ModelConfig::LossReduction> reductions[] = {
      {"BY_COUNT", ModelConfig::BY_COUNT},
      {"BY_BATCH", ModelConfig::BY_BATCH},
      {"SUM", ModelConfig::SUM}};
  for (const auto& [name, reduction] : reductions) {
    TaskTargets targets(MaskedJob(inputs, reduction));

    targets.Fill(batch);

    double loss = 0;
    for (size_t k = 0; k < 3; ++k) {
      std::vector<double> a;
      for (const json& row : inputs["a"])
        a.push_back(row[k].get<double>());
      const std::vector<double> label(targets.label(k).begin(), targets.label(k).end());
      const std::vector<double> weight(targets.weight(k).begin(), targets.weight(k).end());
      std::vector<double> grad(a.size());
      if (targets.divisor(k) > 0) {
        const double scale = targets.task_weight(k) / targets.divisor(k);
        loss += scale *
                GenericKernels<double>().log_loss(a.size(), a.data(), label.data(), weight.data());
        GenericKernels<double>().log_loss_backward(a.size(), scale, a.data(), label.data(),
                                                   weight.data(), grad.data());
      }
      for (size_t r = 0; r < a.size(); ++r) {
        const json& expected = vector["grads"][std::string("a@") + name][r][k];
        // Task weights are floats in the job: 0.7 is not exact.
        EXPECT_NEAR(grad[r], expected.get<double>(), 1e-7) << name << " " << r << " " << k;
      }
    }
    EXPECT_NEAR(loss, vector["outputs"][name]["loss"].get<double>(), 1e-6) << name;
  }
}

TEST(TaskTargetsTest, ConversionIsKnownWhereThereWasNoClick) {
  TaskTargets targets(SampleJob(R"(model_class: "ESMM" esmm {
      ctr_tower { tower_name: "ctr" label_name: "click" }
      cvr_tower { tower_name: "cvr" label_name: "like" } })"));
  Batch batch;
  batch.rows = 5;
  batch.labels = {{0, 1, 1, 1, kUnknownLabel}, {kUnknownLabel, 0, 1, kUnknownLabel, 1}};

  targets.Fill(batch);

  EXPECT_THAT(targets.weight(0), ElementsAre(1, 1, 1, 1, 0));
  EXPECT_THAT(targets.weight(1), ElementsAre(1, 1, 1, 0, 0));
  EXPECT_EQ(targets.label(1)[0], 0);
  EXPECT_EQ(targets.label(1)[1], 0);
  EXPECT_EQ(targets.label(1)[2], 1);
}

TEST(TaskTargetsTest, AConditionalCountsWhereItsEventWasPossible) {
  TaskTargets targets(SampleJob(R"(model_class: "ESMM" esmm {
      ctr_tower { tower_name: "ctr" label_name: "click" }
      cvr_tower { tower_name: "ctcvr" label_name: "like" weight: 2 } })"));
  Batch batch;
  batch.rows = 5;
  batch.labels = {{0, 1, 1, 1, kUnknownLabel}, {0, 0, 1, kUnknownLabel, 1}};

  targets.Fill(batch);

  ASSERT_EQ(targets.task_count(), 2U);
  ASSERT_EQ(targets.measure_count(), 3U);
  EXPECT_THAT(targets.weight(2), ElementsAre(0, 1, 1, 0, 0));
  EXPECT_EQ(targets.label(2)[1], 0);
  EXPECT_EQ(targets.label(2)[2], 1);
}

TEST(TaskTargetsTest, AnEventAfterAnAbsenceKnowsWhenItWasPossible) {
  TaskTargets targets(SampleJob(R"(model_class: "Funnel" funnel {
      events { tower { tower_name: "click" label_name: "click" } }
      events { tower { tower_name: "watch" label_name: "like" } after: "click" }
      events { tower { tower_name: "skip" label_name: "skip" } after_not: "watch" }
      events { tower { tower_name: "buy" label_name: "buy" }
               after: "watch" after_not: "watch" } })"));
  const float unknown = kUnknownLabel;
  Batch batch;
  batch.rows = 5;
  batch.labels = {{0, 1, 1, 1, unknown},  // click
                  {0, 0, 1, unknown, 1},  // like
                  {1, 1, 1, 1, 1},        // skip
                  {1, 1, 1, 1, 1}};       // buy

  targets.Fill(batch);

  EXPECT_THAT(targets.weight(2), ElementsAre(1, 1, 1, 0, 0));
  EXPECT_THAT(targets.label(2), ElementsAre(0, 1, 0, unknown, unknown));
  // Either way will do: buy needs only the click.
  EXPECT_THAT(targets.weight(3), ElementsAre(1, 1, 1, 1, 0));
  EXPECT_THAT(targets.label(3), ElementsAre(0, 1, 1, 1, unknown));
  ASSERT_EQ(targets.measure_count(), 7U);
  EXPECT_THAT(targets.weight(6), ElementsAre(0, 1, 1, 1, 0));
}

TEST(TaskTargetsTest, IndicatorLabelDecidesBetweenInsideAndOutsideWeight) {
  TaskTargets targets(SampleJob(R"(model_class: "DNN" dnn_model { task_towers {
      tower_name: "like" label_name: "like" task_space_indicator_label: "click"
      in_task_space_weight: 2 out_task_space_weight: 0.25 } })"));
  Batch batch;
  batch.rows = 4;
  batch.labels = {{0, 1, 0, 1}, {1, 1, 0, kUnknownLabel}};  // like, then click

  targets.Fill(batch);

  EXPECT_THAT(targets.weight(0), ElementsAre(2, 2, 0.25F, 0.25F));
}

}  // namespace
}  // namespace antiphon
