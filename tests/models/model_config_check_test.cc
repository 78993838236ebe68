#include "models/model_config_check.h"

#include <functional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/input_layout.h"
#include "models/model_config.h"
#include "models/parameter_schema.h"
#include "tests/models/sample_job.h"

namespace antiphon {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// The only error of the job as "path: message".
std::string TheError(const Job& job) {
  const std::vector<FieldError> errors = CheckModelConfig(job);
  if (errors.size() != 1)
    return std::to_string(errors.size()) + " errors";
  return errors[0].path + ": " + errors[0].message;
}

TEST(CheckModelConfigTest, AcceptsTheSampleJob) {
  EXPECT_THAT(CheckModelConfig(SampleJob(MmoeText())), IsEmpty());
}

TEST(CheckModelConfigTest, NamesTheNearestModelClass) {
  Job job = SampleJob(MmoeText());
  job.mutable_model_config()->set_model_class("MMOE");

  EXPECT_THAT(TheError(job), AllOf(HasSubstr("model_config.model_class: "), HasSubstr("MMoE")));
}

TEST(CheckModelConfigTest, FindsATowerWithoutItsLabel) {
  Job job = SampleJob(MmoeText());
  job.mutable_model_config()->mutable_mmoe()->mutable_task_towers(1)->set_label_name("clik");

  EXPECT_THAT(TheError(job), AllOf(HasSubstr("model_config.mmoe.task_towers[1].label_name"),
                                   HasSubstr("did you mean \"click\"")));
}

TEST(CheckModelConfigTest, RefusesAFeatureThatNobodyReadsOrThatIsReadTwice) {
  Job unused = SampleJob(MmoeText());
  unused.mutable_model_config()->mutable_feature_groups(0)->mutable_feature_names()->RemoveLast();
  Job twice = SampleJob(MmoeText());
  twice.mutable_model_config()->mutable_feature_groups(0)->add_feature_names("user");
  Job unknown = SampleJob(MmoeText());
  unknown.mutable_model_config()->mutable_feature_groups(0)->add_feature_names("usr");

  EXPECT_THAT(TheError(unused), HasSubstr("feature_config.features[2]: feature \"author\""));
  EXPECT_THAT(TheError(twice), HasSubstr("feature_names[5]: feature \"user\" is used twice"));
  EXPECT_THAT(TheError(unknown), HasSubstr("feature_names[5]"));
}

TEST(CheckModelConfigTest, RefusesTheMessageOfAnotherModel) {
  Job job = SampleJob(MmoeText());
  job.mutable_model_config()->mutable_esmm();

  EXPECT_THAT(TheError(job), HasSubstr("model_config.esmm: is not read"));
}

TEST(CheckModelConfigTest, ChecksEveryLayer) {
  Job no_layers = SampleJob(MmoeText());
  no_layers.mutable_model_config()->mutable_mmoe()->mutable_expert_dnn()->clear_hidden_units();
  Job zero_units = SampleJob(MmoeText());
  zero_units.mutable_model_config()->mutable_mmoe()->mutable_expert_dnn()->set_hidden_units(1, 0);
  Job activation = SampleJob(MmoeText());
  activation.mutable_model_config()->mutable_mmoe()->mutable_expert_dnn()->set_activation("rely");
  Job dropout = SampleJob(MmoeText());
  dropout.mutable_model_config()->mutable_mmoe()->mutable_expert_dnn()->add_dropout_ratio(1);

  EXPECT_THAT(TheError(no_layers), HasSubstr("mmoe.expert_dnn.hidden_units: got 0 layers"));
  EXPECT_THAT(TheError(zero_units), HasSubstr("expert_dnn.hidden_units[1]: got 0"));
  EXPECT_THAT(TheError(activation), HasSubstr("did you mean \"relu\""));
  EXPECT_THAT(TheError(dropout), HasSubstr("expert_dnn.dropout_ratio[0]: got 1"));
}

TEST(CheckModelConfigTest, FindsUnknownScenesAndTowersOfAScene) {
  Job job = SampleJob(MmoeText() + R"(scene_tasks { scene: "son" tower_names: "share" })");

  const std::vector<FieldError> errors = CheckModelConfig(job);

  ASSERT_EQ(errors.size(), 2U);
  EXPECT_EQ(errors[0].path, "model_config.scene_tasks[0].scene");
  EXPECT_EQ(errors[1].path, "model_config.scene_tasks[0].tower_names[0]");
}

TEST(CheckModelConfigTest, ChecksTheLevelsOfPle) {
  const auto ple = [](const std::string& levels) {
    return SampleJob(R"(model_class: "PLE" ple {
        task_towers { tower_name: "click" label_name: "click" } )" +
                     levels + "}");
  };

  EXPECT_THAT(TheError(ple("")), HasSubstr("model_config.ple.extraction_networks: is missing"));
  EXPECT_THAT(TheError(ple(R"(extraction_networks { network_name: "a" share_num: 0
                                task_expert_net { hidden_units: 4 } })")),
              HasSubstr("ple.extraction_networks[0].share_num: got 0, expected 1"));
  EXPECT_THAT(TheError(ple(R"(extraction_networks { network_name: "a" })")),
              HasSubstr("extraction_networks[0].task_expert_net.hidden_units: got 0 layers"));
  EXPECT_THAT(TheError(ple(R"(extraction_networks { network_name: "a"
                                task_expert_net { hidden_units: 4 }
                                share_expert_net { hidden_units: [4, 5] } })")),
              HasSubstr("share_expert_net.hidden_units: got a last layer of 5, expected 4"));
  EXPECT_THAT(TheError(ple(R"(
                extraction_networks { network_name: "a" task_expert_net { hidden_units: 4 } }
                extraction_networks { network_name: "a" task_expert_net { hidden_units: 4 } })")),
              HasSubstr("model_config.ple.extraction_networks"));
}

TEST(CheckModelConfigTest, ChecksTheWaysOfAFunnel) {
  const auto funnel = [](const std::string& second, const std::string& third) {
    return SampleJob(R"(model_class: "Funnel" funnel {
        events { tower { tower_name: "click" label_name: "click" } }
        events { tower { tower_name: "watch" label_name: "like" } )" +
                     second + R"(}
        events { tower { tower_name: "gift" label_name: "like" } )" +
                     third + "} }");
  };
  const std::string after_click = R"(after: "click")";

  EXPECT_THAT(CheckModelConfig(funnel(after_click, R"(after: "watch" after_not: "watch")")),
              IsEmpty());
  EXPECT_THAT(TheError(funnel(after_click, R"(after: "wath")")),
              AllOf(HasSubstr("model_config.funnel.events[2].after[0]"),
                    HasSubstr("did you mean \"watch\"")));
  EXPECT_THAT(TheError(funnel(R"(after_not: "gift")", "")),
              HasSubstr("funnel.events[1].after_not[0]: "));
  EXPECT_THAT(TheError(funnel("", R"(after: "click" after: "watch")")),
              AllOf(HasSubstr("model_config.funnel.events[2]: event \"gift\""),
                    HasSubstr("two ways at once")));
  EXPECT_THAT(TheError(funnel(R"(conditional_name: "c")", "")),
              HasSubstr("events[1].conditional_name: is not read"));
  EXPECT_THAT(TheError(funnel(after_click + R"(conditional_name: "gift")", "")),
              HasSubstr("\"gift\" is empty or used twice"));
}

TEST(CheckModelConfigTest, PairsOfFeaturesNeedOneWidth) {
  const Job unequal = SampleJob(R"(model_class: "DeepFM" deepfm {
      task_towers { tower_name: "click" label_name: "click" } })");
  const Job below = SampleJob(MmoeText() + " fm {}");
  Job deep = SampleJob(R"(model_class: "FM" fm_model {
      task_towers { tower_name: "click" label_name: "click" dnn {} } })");
  Job twice = SampleJob(R"(fm {} model_class: "FM" fm_model {
      task_towers { tower_name: "click" label_name: "click" } })");
  for (Job* job : {&deep, &twice}) {
    job->mutable_feature_config()->mutable_features(0)->set_embedding_dim(3);
  }

  for (const Job& job : {unequal, below}) {
    const std::vector<FieldError> errors = CheckModelConfig(job);
    ASSERT_EQ(errors.size(), 2U);
    EXPECT_EQ(errors[0].path, "feature_config.features[2].embedding_dim");
    EXPECT_THAT(errors[0].message, HasSubstr("got 3, expected 4 as feature \"user\" has"));
  }
  EXPECT_THAT(TheError(deep), HasSubstr("model_config.fm_model.task_towers[0].dnn: is not read"));
  EXPECT_THAT(TheError(twice), HasSubstr("model_config.fm: is not read"));
}

TEST(CheckModelConfigTest, SidesOfATripletAreGroupsOfTheirOwn) {
  const auto job = [](const std::string& triplet, const std::string& model) {
    Job sample = SampleJob(model + " triplet {" + triplet + "}");
    FeatureGroup* all = sample.mutable_model_config()->mutable_feature_groups(0);
    all->clear_feature_names();
    all->add_feature_names("user");
    for (const char* name : {"tags", "age", "vector", "author"}) {
      FeatureGroup* group = sample.mutable_model_config()->add_feature_groups();
      group->set_group_name(std::string("g_") + name);
      group->add_feature_names(name);
    }
    return sample;
  };
  const std::string sides = R"(host_group: "g_author" text_group: "g_tags" )";
  const std::string good = sides + R"(avatar_group: "g_vector")";
  const std::string lr = R"(model_class: "LR" lr {
      task_towers { tower_name: "click" label_name: "click" } })";

  EXPECT_THAT(CheckModelConfig(job(good, MmoeText())), IsEmpty());
  EXPECT_THAT(TheError(job(sides + R"(avatar_group: "g_vectr")", MmoeText())),
              AllOf(HasSubstr("model_config.triplet.avatar_group: "), HasSubstr("g_vector")));
  EXPECT_THAT(TheError(job(good + R"( user_group: "g_tags")", MmoeText())),
              HasSubstr("model_config.triplet.user_group: feature group \"g_tags\" is another"));
  EXPECT_THAT(TheError(job(good + " projection_dim: 0", MmoeText())),
              HasSubstr("model_config.triplet.projection_dim"));
  Job linear = job(good, lr);
  for (FeatureConfig& feature : *linear.mutable_feature_config()->mutable_features())
    feature.set_embedding_dim(1);
  EXPECT_THAT(TheError(linear), HasSubstr("model_config.triplet: is not read by model_class"));
}

TEST(ParameterSchemaTest, WeightsOfPairsAreASegmentOfTheRow) {
  Job job = SampleJob(MmoeText() + " fm { linear_optimizer_config { ftrl_optimizer {} } }");
  job.mutable_feature_config()->mutable_features(0)->set_embedding_dim(3);

  StatusOr<ParameterSchema> schema = BuildParameterSchema(job);

  ASSERT_TRUE(schema.ok()) << schema.status();
  const TableSpec& table = schema->tables(0);
  EXPECT_EQ(table.dim(), 4U);
  ASSERT_EQ(table.segments_size(), 2);
  EXPECT_EQ(table.segments(0).dim(), 1U);
  EXPECT_TRUE(table.segments(0).optimizer().has_ftrl_optimizer());
  EXPECT_TRUE(table.segments(0).initializer().has_constant_initializer());
  EXPECT_EQ(table.segments(1).dim(), 3U);
  EXPECT_TRUE(table.segments(1).optimizer().has_rowwise_adagrad_optimizer());
  EXPECT_TRUE(table.segments(1).initializer().has_normal_initializer());
  // Three weights before the features, three products behind them.
  EXPECT_EQ(schema->blocks(0).cols(), 3U + 3 + 3 + 3 + 3 + 3);
}

TEST(ModelLabelsTest, WhatIsMeasuredHasNames) {
  const Job named = SampleJob(R"(model_class: "ESMM" esmm {
      ctr_tower { tower_name: "ctr" label_name: "click" }
      cvr_tower { tower_name: "ctcvr" label_name: "like" } })");
  const Job taken = SampleJob(R"(model_class: "ESMM" esmm {
      ctr_tower { tower_name: "ctr" label_name: "click" }
      cvr_tower { tower_name: "cvr" label_name: "like" } })");

  EXPECT_THAT(MeasureNames(named.model_config()), ElementsAre("ctr", "ctcvr", "cvr"));
  EXPECT_THAT(MeasureNames(taken.model_config()), ElementsAre("ctr", "cvr", "cvr_given_ctr"));
}

TEST(CheckModelConfigTest, LrWantsOneWeightATask) {
  Job job = SampleJob(R"(model_class: "LR" lr {
      task_towers { tower_name: "click" label_name: "click" } })");

  const std::vector<FieldError> errors = CheckModelConfig(job);

  ASSERT_EQ(errors.size(), 3U);
  EXPECT_EQ(errors[0].path, "feature_config.features[0].embedding_dim");
}

TEST(ParameterSchemaTest, TablesFollowFeaturesAndBlocksFollowTheModel) {
  StatusOr<ParameterSchema> schema = BuildParameterSchema(SampleJob(MmoeText()));
  ASSERT_TRUE(schema.ok()) << schema.status();

  ASSERT_EQ(schema->tables_size(), 2);
  EXPECT_EQ(schema->tables(0).name(), "user");
  EXPECT_EQ(schema->tables(1).name(), "item");
  EXPECT_EQ(schema->tables(1).dim(), 3U);
  EXPECT_TRUE(schema->tables(0).optimizer().has_rowwise_adagrad_optimizer());
  EXPECT_TRUE(schema->blocks(0).optimizer().has_adam_optimizer());
  EXPECT_EQ(schema->blocks(0).name(), "experts.0.weight");
  EXPECT_EQ(schema->blocks(0).rows(), 3U * 8);
  EXPECT_EQ(schema->blocks(0).cols(), 4U + 3 + 3 + 3);
  // Xavier's limit is that of one expert, not of the stack.
  EXPECT_NEAR(schema->blocks(0).initializer().uniform_initializer().maxval(),
              std::sqrt(6.0 / (13 + 8)), 1e-6);
}

TEST(ParameterSchemaTest, LrStartsAtZero) {
  Job job = SampleJob(R"(model_class: "LR" lr {
      task_towers { tower_name: "click" label_name: "click" } })");
  for (FeatureConfig& feature : *job.mutable_feature_config()->mutable_features()) {
    if (feature.has_embedding_dim())
      feature.set_embedding_dim(1);
  }

  StatusOr<ParameterSchema> schema = BuildParameterSchema(job);

  ASSERT_TRUE(schema.ok()) << schema.status();
  EXPECT_EQ(schema->tables(0).dim(), 1U);
  EXPECT_TRUE(schema->tables(0).initializer().has_constant_initializer());
}

std::string UmsText(const std::string& more) {
  return R"(model_class: "UMS" ums {
              expert_dnn { hidden_units: 4 } private_dnn { hidden_units: 3 }
              task_towers { tower_name: "click" label_name: "click" } } )" +
         more;
}

TEST(CheckUmsTest, NamesWhatIsWrong) {
  EXPECT_THAT(CheckModelConfig(SampleJob(UmsText(""))), IsEmpty());
  Job no_scenes = SampleJob(UmsText(""));
  no_scenes.mutable_data_config()->clear_scene_field();
  EXPECT_THAT(TheError(no_scenes), AllOf(HasSubstr("model_config.model_class: \"UMS\""),
                                         HasSubstr("data_config.scene_field")));
  const std::string line = R"(scene_tasks { scene: "song" private_group: )";
  EXPECT_THAT(TheError(SampleJob(UmsText(line + "\"al\" }"))),
              AllOf(HasSubstr("model_config.scene_tasks[0].private_group"),
                    HasSubstr("did you mean \"all\"")));
  EXPECT_THAT(TheError(SampleJob(UmsText(line + "\"all\" }"))),
              AllOf(HasSubstr("model_config.feature_groups"), HasSubstr("private to a scene")));
  EXPECT_THAT(TheError(SampleJob(MmoeText() + line + "\"all\" }")),
              HasSubstr("model_config.scene_tasks[0].private_group: is read by"));
  EXPECT_THAT(TheError(SampleJob(UmsText("ums { num_expert: 0 }"))),
              HasSubstr("model_config.ums.num_expert"));
  EXPECT_THAT(TheError(SampleJob(UmsText("ums { scene_embedding_dim: 5000 }"))),
              HasSubstr("model_config.ums.scene_embedding_dim"));
  EXPECT_THAT(TheError(SampleJob(UmsText("ums { public_dnn { activation: \"swish\" } }"))),
              HasSubstr("model_config.ums.public_dnn.activation"));
  Job many = SampleJob(UmsText("ums { cross_scene_scores: STOP_GRADIENT }"));
  for (int i = 0; i < 63; ++i)
    many.mutable_data_config()->add_scenes("more" + std::to_string(i));
  EXPECT_THAT(TheError(many), HasSubstr("model_config.ums.cross_scene_scores"));
}

TEST(CheckStarTest, NamesWhatIsWrong) {
  const std::string star = R"(model_class: "STAR" star {
      task_towers { tower_name: "click" label_name: "click" } } )";
  EXPECT_THAT(CheckModelConfig(SampleJob(star)), IsEmpty());
  EXPECT_THAT(TheError(SampleJob(star + "star { moments_decay: 1 }")),
              HasSubstr("model_config.star.moments_decay"));
  EXPECT_THAT(TheError(SampleJob(star + "star { scene_embedding_dim: 0 }")),
              HasSubstr("model_config.star.scene_embedding_dim"));
  EXPECT_THAT(TheError(SampleJob(star + "star { aux_dnn { hidden_units: 0 } }")),
              HasSubstr("model_config.star.aux_dnn.hidden_units[0]"));
}

TEST(CheckPepNetTest, NamesWhatIsWrong) {
  Job job = SampleJob(R"(model_class: "PEPNet"
      feature_groups { group_name: "scene" feature_names: "user" }
      feature_groups { group_name: "who" feature_names: "author" }
      pepnet { domain_group: "scene" prior_group: "who"
               task_towers { tower_name: "click" label_name: "click" } })");
  auto& groups = *job.mutable_model_config()->mutable_feature_groups();
  groups[0].clear_feature_names();
  for (const char* name : {"tags", "age", "vector"})
    groups[0].add_feature_names(name);
  EXPECT_THAT(CheckModelConfig(job), IsEmpty());

  Job typo = job;
  typo.mutable_model_config()->mutable_pepnet()->set_domain_group("scenes");
  EXPECT_THAT(TheError(typo), AllOf(HasSubstr("model_config.pepnet.domain_group"),
                                    HasSubstr("did you mean \"scene\"")));
  Job same = job;
  same.mutable_model_config()->mutable_pepnet()->set_prior_group("scene");
  EXPECT_THAT(TheError(same), HasSubstr("model_config.pepnet.prior_group: is the domain_group"));
  Job narrow = job;
  narrow.mutable_model_config()->mutable_pepnet()->set_gate_hidden_units(0);
  EXPECT_THAT(TheError(narrow), HasSubstr("model_config.pepnet.gate_hidden_units"));
  Job nothing_else = job;
  auto& moved = *nothing_else.mutable_model_config()->mutable_feature_groups();
  for (const std::string& name : moved[0].feature_names())
    moved[1].add_feature_names(name);
  moved.DeleteSubrange(0, 1);
  EXPECT_THAT(TheError(nothing_else), HasSubstr("model_config.feature_groups: domain_group and"));
}

// The sample job with its tags as a sequence that the author is compared with.
Job JobWithHistory() {
  Job job = SampleJob(MmoeText());
  job.mutable_feature_config()->mutable_features(3)->set_feature_type(
      FeatureConfig::SequenceFeature);
  FeatureGroup& group = *job.mutable_model_config()->mutable_feature_groups(0);
  group.mutable_feature_names()->DeleteSubrange(0, 1);
  SequenceFeatures& history = *group.add_sequence_features();
  history.set_group_name("history");
  history.add_seq_att_map()->set_key("author");
  history.mutable_seq_att_map(0)->set_hist_seq("tags");
  return job;
}

TEST(CheckFeatureGroupsTest, NamesWhatIsWrongWithSequences) {
  const std::string path = "model_config.feature_groups[0].sequence_features[0]";
  EXPECT_THAT(CheckModelConfig(JobWithHistory()), IsEmpty());
  const auto error = [](const std::function<void(SequenceFeatures&)>& change) {
    Job job = JobWithHistory();
    change(*job.mutable_model_config()->mutable_feature_groups(0)->mutable_sequence_features(0));
    return TheError(job);
  };

  EXPECT_THAT(error([](auto& s) { s.clear_group_name(); }), HasSubstr(path + ".group_name"));
  EXPECT_THAT(error([](auto& s) { s.mutable_seq_att_map(0)->set_key("autor"); }),
              AllOf(HasSubstr(path + ".seq_att_map[0].key"), HasSubstr("\"author\"")));
  EXPECT_THAT(error([](auto& s) { s.mutable_seq_att_map(0)->set_key("age"); }),
              HasSubstr(path + ".seq_att_map[0].key: \"age\" is no IdFeature"));
  EXPECT_THAT(error([](auto& s) { s.mutable_seq_att_map(0)->set_key("user"); }),
              HasSubstr(path + ".seq_att_map[0].hist_seq: has embedding_dim 3, expected 4"));
  EXPECT_THAT(error([](auto& s) { s.mutable_attention_dnn(); }),
              HasSubstr(path + ".attention_dnn.hidden_units"));
  EXPECT_THAT(error([](auto& s) {
                s.mutable_attention_dnn()->add_hidden_units(2);
                s.mutable_attention_dnn()->add_dropout_ratio(0.5);
              }),
              HasSubstr(path + ".attention_dnn.dropout_ratio[0]"));
  EXPECT_THAT(error([](auto& s) { s.mutable_segments()->set_short_length(0); }),
              HasSubstr(path + ".segments.short_length"));
  EXPECT_THAT(error([](auto& s) { s.mutable_segments()->set_long_length(1001); }),
              HasSubstr(path + ".segments.long_length"));
  EXPECT_THAT(error([](auto& s) { s.mutable_segments()->set_attention_dim(0); }),
              HasSubstr(path + ".segments.attention_dim"));
  Job pooled = SampleJob(MmoeText());
  pooled.mutable_feature_config()->mutable_features(3)->set_feature_type(
      FeatureConfig::SequenceFeature);
  EXPECT_THAT(TheError(pooled), AllOf(HasSubstr("feature_groups[0].feature_names[0]"),
                                      HasSubstr("expected it as a hist_seq")));
}

TEST(ParameterSchemaTest, RefusesTwoBlocksOfOneName) {
  Job job = SampleJob(UmsText(""));
  job.mutable_model_config()->mutable_ums()->mutable_task_towers(0)->set_tower_name("experts");
  job.mutable_model_config()
      ->mutable_ums()
      ->mutable_task_towers(0)
      ->mutable_dnn()
      ->add_hidden_units(2);

  const Status status = BuildParameterSchema(job).status();

  EXPECT_THAT(status.message(), HasSubstr("\"experts.0.weight\""));
}

TEST(InputLayoutTest, ColumnsFollowTheFeatureGroups) {
  const InputLayout layout = MakeInputLayout(SampleJob(MmoeText()));

  // tags 0-2, user 3-6, age 7, vector 8-9, author 10-12; columns of the batch: user, author, tags.
  EXPECT_EQ(layout.shape.width, 13U);
  ASSERT_EQ(layout.sparse.size(), 3U);
  EXPECT_EQ(layout.sparse[0].begin, 3U);
  EXPECT_EQ(layout.sparse[1].begin, 10U);
  EXPECT_EQ(layout.sparse[2].begin, 0U);
  EXPECT_EQ(layout.sparse[1].table, layout.sparse[2].table);
  // Age and vector lie together in both: one run.
  ASSERT_EQ(layout.dense.size(), 1U);
  EXPECT_EQ(layout.dense[0].begin, 7U);
  EXPECT_EQ(layout.dense[0].width, 3U);
}

TEST(ModelLabelsTest, EachLabelStandsOnceAndTheFunnelIsKnown) {
  const Job job = SampleJob(R"(model_class: "ESMM" esmm {
      ctr_tower { tower_name: "ctr" label_name: "click" }
      cvr_tower { tower_name: "cvr" label_name: "like" } })");

  const LabelColumns labels = ModelLabels(job.model_config());

  EXPECT_THAT(labels.names, ElementsAre("click", "like"));
  ASSERT_EQ(labels.implied.size(), 1U);
  EXPECT_EQ(labels.implied[0].effect, 1U);
  EXPECT_EQ(labels.implied[0].cause, 0U);
}

}  // namespace
}  // namespace antiphon
