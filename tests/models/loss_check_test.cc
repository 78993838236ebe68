#include "models/loss_check.h"

#include <ostream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/model_config_check.h"
#include "tests/models/sample_job.h"

namespace antiphon {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

// Errors as "path: message", one a line.
std::string Errors(const Job& job) {
  std::string text;
  for (const FieldError& error : CheckModelConfig(job)) {
    text += error.path + ": " + error.message + "\n";
  }
  return text;
}

struct BadCase {
  std::string model;  // appended to the tower "like", or to the model after ';'
  std::string error;
};

std::ostream& operator<<(std::ostream& out, const BadCase& c) {
  return out << c.model;
}

Job JobWith(const std::string& change) {
  const size_t cut = change.find(';');
  const std::string tower = change.substr(0, cut);
  const std::string model = cut == std::string::npos ? "" : change.substr(cut + 1);
  return SampleJob(R"(model_class: "MMoE" mmoe {
      expert_dnn { hidden_units: 4 } num_expert: 2
      task_towers { tower_name: "click" label_name: "click" }
      task_towers { tower_name: "like" label_name: "like" )" +
                   tower + "} } " + model);
}

class LossCheckTest : public testing::TestWithParam<BadCase> {};

TEST_P(LossCheckTest, NamesTheField) {
  EXPECT_THAT(Errors(JobWith(GetParam().model)), HasSubstr(GetParam().error));
}

INSTANTIATE_TEST_SUITE_P(
    Towers, LossCheckTest,
    testing::Values(BadCase{"positive_weight: 0", "mmoe.task_towers[1].positive_weight: got 0"},
                    BadCase{"positive_weight: 2 loss_type: HUBER",
                            "task_towers[1].positive_weight: is not read by loss_type HUBER"},
                    BadCase{"loss_type: HUBER huber_delta: -1",
                            "task_towers[1].huber_delta: got -1"},
                    BadCase{"loss_type: PAIRWISE", "task_towers[1].loss_type: PAIRWISE compares"},
                    BadCase{"delayed_feedback {}", "delayed_feedback.method: is missing"},
                    BadCase{"loss_type: L2_LOSS delayed_feedback { method: FNW }",
                            "task_towers[1].delayed_feedback: is for a CLASSIFICATION"},
                    BadCase{"delayed_feedback { method: FNC late_positive_tower: \"click\" }",
                            "delayed_feedback.late_positive_tower: is read by ES_DFM only"},
                    BadCase{"delayed_feedback { method: ES_DFM late_positive_tower: \"clik\" "
                            "real_negative_tower: \"click\" }",
                            "did you mean \"click\""},
                    BadCase{"delayed_feedback { method: ES_DFM late_positive_tower: \"like\" "
                            "real_negative_tower: \"click\" }",
                            "late_positive_tower: \"like\" is this tower itself"},
                    BadCase{"loss_type: L2_LOSS task_space_indicator_label: \"like\"",
                            "task_space_indicator_label: label \"like\" is a number"}));

INSTANTIATE_TEST_SUITE_P(
    Balance, LossCheckTest,
    testing::Values(
        BadCase{";grad_norm {}",
                "model_config.grad_norm: is not read by loss_weight_strategy Fixed"},
        BadCase{";loss_weight_strategy: DWA dwa { window_steps: 0 }", "dwa.window_steps: got 0"},
        BadCase{";loss_weight_strategy: GradNorm grad_norm { lr: 0 }", "grad_norm.lr: got 0"},
        BadCase{";loss_weight_strategy: GradNorm grad_norm { frozen_weights: 1 }",
                "grad_norm.frozen_weights: got 1 weights, expected one for each of 2"},
        BadCase{"loss_type: L2_LOSS;loss_weight_strategy: GradNorm",
                "grad_norm.initial_loss: THEORETICAL is not known for loss_type L2_LOSS"},
        BadCase{"weight: 0;loss_weight_strategy: GradNorm",
                "task_towers[1].weight: got 0, expected more than 0"},
        BadCase{";loss_weight_strategy: Uncertainty uncertainty { initial_log_variance: 99 }",
                "uncertainty.initial_log_variance: got 99"}));

TEST(LossCheckTest, GradNormNeedsALayerThatTasksShare) {
  const std::string towers = R"(
      task_towers { tower_name: "click" label_name: "click" }
      task_towers { tower_name: "like" label_name: "like" } })";

  EXPECT_THAT(
      Errors(SampleJob("loss_weight_strategy: GradNorm model_class: \"DNN\" dnn_model {" + towers)),
      HasSubstr("model_config.loss_weight_strategy: GradNorm measures"));
  EXPECT_THAT(
      Errors(SampleJob("loss_weight_strategy: GradNorm model_class: \"STAR\" star {" + towers)),
      HasSubstr("model_config.grad_norm.source: got WEIGHT, expected ACTIVATION"));
  EXPECT_THAT(
      Errors(SampleJob("loss_weight_strategy: PCGrad model_class: \"DNN\" dnn_model {" + towers)),
      IsEmpty());
}

TEST(LossCheckTest, OneTaskHasNothingToBalance) {
  EXPECT_THAT(Errors(SampleJob(R"(loss_weight_strategy: DWA model_class: "DNN" dnn_model {
                                    task_towers { tower_name: "click" label_name: "click" } })")),
              HasSubstr("loss_weight_strategy: got 1 tasks"));
}

TEST(LossCheckTest, LrHasNoBackbone) {
  EXPECT_THAT(Errors(SampleJob(R"(model_class: "LR" lr { task_towers {
                  tower_name: "click" label_name: "click" isolate: BACKBONE_STOP } })")),
              HasSubstr("lr.task_towers[0].isolate: BACKBONE_STOP has no place"));
}

TEST(LossCheckTest, FunnelMultipliesProbabilities) {
  EXPECT_THAT(Errors(SampleJob(R"(model_class: "ESMM" esmm {
                  ctr_tower { tower_name: "ctr" label_name: "click" }
                  cvr_tower { tower_name: "cvr" label_name: "like" loss_type: L2_LOSS } })")),
              HasSubstr("esmm.cvr_tower.loss_type: got L2_LOSS, expected CLASSIFICATION"));
}

TEST(LossCheckTest, AcceptsWhatIsMeantToBe) {
  EXPECT_THAT(Errors(JobWith("loss_type: HUBER;loss_weight_strategy: GradNorm "
                             "grad_norm { initial_loss: EMA source: ACTIVATION }")),
              IsEmpty());
  Job ranking = JobWith("loss_type: LISTWISE isolate: EMBED_STOP");
  ranking.mutable_data_config()->set_request_field("user");
  ranking.mutable_data_config()->set_shuffle(false);
  EXPECT_THAT(Errors(ranking), IsEmpty());
}

TEST(LossCheckTest, RequestsAreNotShuffled) {
  for (const std::string loss : {"PAIRWISE", "LISTWISE"}) {
    Job job = JobWith("loss_type: " + loss);
    job.mutable_data_config()->set_request_field("user");

    EXPECT_THAT(Errors(job), HasSubstr("mmoe.task_towers[1].loss_type: " + loss +
                                       " compares the samples of a request, which "
                                       "data_config.shuffle (true unless the job says otherwise)"));
  }
}

}  // namespace
}  // namespace antiphon
