#include "models/job_extension.h"

#include <string>

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "common/data/job_defaults.h"
#include "common/data/job_text.h"
#include "models/job_plan.h"
#include "tests/models/sample_job.h"

namespace antiphon {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kUms[] = R"(
  model_class: "UMS"
  scene_tasks { scene: "song" tower_names: "click" }
  ums {
    public_dnn { hidden_units: 8 }
    expert_dnn { hidden_units: 8 }
    private_dnn { hidden_units: 4 }
    task_towers { tower_name: "click" label_name: "click" dnn { hidden_units: 5 } }
    task_towers { tower_name: "like" label_name: "like" dnn { hidden_units: 5 } }
  })";

// As LoadJob makes it of a file with this text.
JobFile FileOf(const Job& job) {
  const std::string text = JobText(job);
  ParsedJob parsed = ParseJobText("job.textproto", text).value();
  JobFile file;
  file.job = std::move(parsed.job);
  FillDefaults(file.job);
  file.locations = FieldLocations("job.textproto", std::move(parsed.tree));
  return file;
}

class JobExtensionTest : public ::testing::Test {
 protected:
  JobExtensionTest() : job_(SampleJob(kUms)) { Begin(job_); }

  // The plan of a running job; partitions and what was fitted came from data.
  void Begin(const Job& job) {
    job_ = job;
    running_ = PlanWithoutData(FileOf(job).job).value();
    running_.add_partitions()->set_end_record(7);
    for (const FeatureConfig& feature : job.feature_config().features()) {
      running_.add_features()->set_feature_name(feature.feature_name());
    }
    running_.mutable_features(1)->add_max_val(99);
  }
  static void Merge(const std::string& text, Job& job) {
    ASSERT_TRUE(google::protobuf::TextFormat::MergeFromString(text, &job)) << text;
  }

  StatusOr<TrainingPlan> ExtendBy(const std::string& text) {
    Job edited = job_;
    Merge(text, edited);
    return ExtendPlan(running_, FileOf(edited));
  }
  std::string Refusal(const Job& edited) {
    const Status status = ExtendPlan(running_, FileOf(edited)).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    return status.message();
  }
  std::string RefusalOf(const std::string& text) {
    Job edited = job_;
    Merge(text, edited);
    return Refusal(edited);
  }

  Job job_;
  TrainingPlan running_;
};

TEST_F(JobExtensionTest, AddsScenesTasksAndWhatTheyBring) {
  const StatusOr<TrainingPlan> plan = ExtendBy(R"(
    data_config { scenes: "radio" label_fields: "gift" }
    feature_config { features { feature_name: "host" input_names: "author" embedding_dim: 4 } }
    model_config {
      feature_groups { group_name: "of_radio" feature_names: "host" }
      scene_tasks { scene: "radio" tower_names: "click" private_group: "of_radio" }
      scene_tasks { scene: "home" tower_names: ["click", "like"] }
      ums { task_towers { tower_name: "gift" label_name: "gift" dnn { hidden_units: 5 } } }
    }
    promotion { tower_name: "gift" min_auc: 0.6 })");

  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_THAT(plan->tasks(), ElementsAre("click", "like", "gift"));
  EXPECT_THAT(plan->scenes(), ElementsAre("home", "song", "radio"));
  EXPECT_EQ(plan->schema().tables_size(), running_.schema().tables_size() + 1);
  EXPECT_GT(plan->schema().blocks_size(), running_.schema().blocks_size());
  EXPECT_EQ(plan->partitions_size(), 1);
  EXPECT_EQ(plan->features_size(), running_.features_size() + 1);
  EXPECT_THAT(plan->features(1).max_val(), ElementsAre(99));
  EXPECT_EQ(plan->features(running_.features_size()).feature_name(), "host");
  EXPECT_NE(plan->job_digest(), running_.job_digest());
}

TEST_F(JobExtensionTest, TowersAndScenesMayStandAnywhere) {
  Job edited = job_;
  edited.mutable_data_config()->clear_scenes();
  for (const char* scene : {"song", "radio", "home"}) {
    edited.mutable_data_config()->add_scenes(scene);
  }
  edited.mutable_model_config()->mutable_ums()->mutable_task_towers()->SwapElements(0, 1);

  const StatusOr<TrainingPlan> plan = ExtendPlan(running_, FileOf(edited));

  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_THAT(plan->tasks(), ElementsAre("like", "click"));
  EXPECT_THAT(plan->scenes(), ElementsAre("song", "radio", "home"));
}

TEST_F(JobExtensionTest, RefusesWhatIsOtherwiseAndSaysWhereAndWhatToDo) {
  EXPECT_THAT(RefusalOf("data_config { batch_size: 64 }"),
              AllOf(HasSubstr("job.textproto:"),
                    HasSubstr("data_config.batch_size: is 512 in the running job, got 64"),
                    HasSubstr("begin again with --restore")));
  EXPECT_THAT(RefusalOf("train_config { sync_replicas: false }"),
              HasSubstr("train_config.sync_replicas: is true in the running job, got false"));
  EXPECT_THAT(RefusalOf("sharding { num_shards: 16 }"), HasSubstr("sharding.num_shards: is 256"));
  EXPECT_THAT(RefusalOf("seed: 4"), HasSubstr("seed: is 3 in the running job, got 4"));
  EXPECT_THAT(RefusalOf(R"(train_input_path: "more.csv")"),
              HasSubstr("train_input_path: is 0 long in the running job, got 1 values"));
  EXPECT_THAT(RefusalOf(R"(data_config { stream { folder { path: "events" } } })"),
              HasSubstr("data_config.stream: is not given in the running job"));
  EXPECT_THAT(RefusalOf("model_config { loss_weight_strategy: DWA }"),
              HasSubstr("model_config.loss_weight_strategy: is Fixed in the running job, got DWA"));
  Job edited = job_;
  edited.mutable_feature_config()->mutable_features(0)->set_embedding_dim(8);
  EXPECT_THAT(
      Refusal(edited),
      HasSubstr("feature_config.features[0].embedding_dim: is 4 in the running job, got 8"));
  edited = job_;
  edited.mutable_train_config()->mutable_optimizer_config(1)->mutable_lazy_adam_optimizer();
  EXPECT_THAT(Refusal(edited), HasSubstr("train_config.optimizer_config[1].adam_optimizer: is {"));
  edited = job_;
  edited.mutable_model_config()->mutable_ums()->mutable_task_towers(1)->set_weight(2);
  EXPECT_THAT(Refusal(edited), HasSubstr("model_config.ums.task_towers[1].weight: is 1"));
}

TEST_F(JobExtensionTest, RefusesToTakeAnythingAway) {
  Job edited = job_;
  edited.mutable_data_config()->mutable_scenes()->DeleteSubrange(0, 1);
  EXPECT_THAT(Refusal(edited),
              HasSubstr("data_config.scenes: has \"home\" in the running job and not here"));
  edited = job_;
  edited.mutable_model_config()->mutable_ums()->mutable_task_towers()->RemoveLast();
  EXPECT_THAT(
      Refusal(edited),
      HasSubstr("model_config.ums.task_towers: has \"like\" in the running job and not here"));
}

TEST_F(JobExtensionTest, ScenesThatAreThereKeepTheirTasks) {
  Job edited = job_;
  edited.mutable_model_config()->mutable_scene_tasks(0)->add_tower_names("like");
  EXPECT_THAT(Refusal(edited), HasSubstr("scene \"song\" does not have task \"like\""));
  EXPECT_THAT(RefusalOf(R"(model_config { scene_tasks { scene: "home" tower_names: "like" } })"),
              HasSubstr("scene \"home\" has task \"click\" in the running job, which stays"));
  EXPECT_THAT(RefusalOf(R"(model_config { scene_tasks { scene: "home" loss_weight: 2 } })"),
              HasSubstr("scene \"home\" has another loss_weight"));
}

TEST_F(JobExtensionTest, NewFeaturesNeedNoLookAtData) {
  const std::string fitted = R"(
    feature_config { features { feature_name: "host" input_names: "author" embedding_dim: 4
                                vocab_from_data: true } }
    model_config { feature_groups { group_name: "of_radio" feature_names: "host" } })";
  EXPECT_THAT(RefusalOf(fitted), HasSubstr("feature \"host\" is new and needs a look at data"));
  Job edited = job_;
  Merge(R"(feature_config { features { feature_name: "host" input_names: "author"
                                       embedding_dim: 4 } })",
        edited);
  edited.mutable_feature_config()->mutable_features()->SwapElements(0, 5);
  EXPECT_THAT(Refusal(edited),
              HasSubstr("\"user\" is number 0 in the running job, expected it there"));
}

TEST_F(JobExtensionTest, VocabulariesOfTheSceneFieldLearnTheNewScenes) {
  Job job = SampleJob(kUms);
  Merge(R"(
    feature_config {
      features { feature_name: "listed" input_names: "scene" embedding_dim: 4
                 vocab_list: ["home", "song"] }
      features { feature_name: "fitted" input_names: "scene" embedding_dim: 4
                 vocab_from_data: true }
      features { feature_name: "other" input_names: "user" embedding_dim: 4
                 vocab_list: ["u1", "u2"] }
    }
    model_config { feature_groups { group_name: "more" feature_names: ["listed", "fitted", "other"] } })",
        job);
  Begin(job);
  running_.mutable_features(6)->add_vocabulary("song");
  running_.mutable_features(6)->add_vocabulary("home");
  Job edited = job;
  edited.mutable_data_config()->add_scenes("radio");
  edited.mutable_feature_config()->mutable_features(5)->add_vocab_list("radio");

  const StatusOr<TrainingPlan> plan = ExtendPlan(running_, FileOf(edited));

  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_THAT(plan->features(6).vocabulary(), ElementsAre("song", "home", "radio"));
  edited.mutable_feature_config()->mutable_features(7)->add_vocab_list("u3");
  EXPECT_THAT(Refusal(edited),
              AllOf(HasSubstr("feature_config.features[7].vocab_list: has more values"),
                    Not(HasSubstr("features[5]"))));
}

TEST_F(JobExtensionTest, ColumnsOfAFileWithoutAHeaderStay) {
  Job job = SampleJob(kUms);
  Merge(
      R"(data_config { input_fields { input_name: "click" } input_fields { input_name: "like" } })",
      job);
  Begin(job);

  const std::string more = R"(data_config { input_fields { input_name: "gift" } })";
  EXPECT_THAT(RefusalOf(more), HasSubstr("whose files have no header"));
  job.mutable_data_config()->set_with_header(true);
  Begin(job);
  EXPECT_TRUE(ExtendBy(more).ok());
}

// What looks at all tasks at once would have to become wider.
TEST_F(JobExtensionTest, SaysWhichModelsCannotBeGivenATask) {
  const std::string towers = R"(
    task_towers { tower_name: "click" label_name: "click" }
    task_towers { tower_name: "like" label_name: "like" })";
  const std::string again = R"(task_towers { tower_name: "again" label_name: "click" })";
  const auto answer = [&](const std::string& model_class, const std::string& field,
                          const std::string& parts) {
    const Job job = field == "pepnet" ? PepNetSampleJob(towers + "}")
                                      : SampleJob("model_class: \"" + model_class + "\" " + field +
                                                  " { " + parts + towers + " }");
    Begin(job);
    const Status status = ExtendBy("model_config { " + field + " { " + again + " } }").status();
    return status.ok() ? "" : status.message();
  };

  EXPECT_EQ(answer("DNN", "dnn_model", ""), "");
  EXPECT_EQ(answer("SharedBottom", "shared_bottom", "bottom_dnn { hidden_units: 6 }"), "");
  EXPECT_EQ(answer("MMoE", "mmoe", "expert_dnn { hidden_units: 6 }"), "");
  EXPECT_EQ(answer("MMoE", "mmoe", "expert_dnn { hidden_units: 6 } one_gate: true"), "");
  EXPECT_EQ(answer("UMS", "ums", "public_dnn { hidden_units: 6 } expert_dnn { hidden_units: 6 }"),
            "");
  EXPECT_EQ(answer("STAR", "star", ""), "");
  EXPECT_THAT(answer("PEPNet", "pepnet", ""),
              HasSubstr("its dense block \"ppnet.0.1.weight\" is 12 x 3 and would be 18 x 3"));
  EXPECT_THAT(
      answer("PLE", "ple",
             R"(extraction_networks { network_name: "one" task_expert_net { hidden_units: 6 } }
                        extraction_networks { network_name: "two" task_expert_net { hidden_units: 6 } })"),
      AllOf(HasSubstr("a running PLE cannot be given this: its dense block"),
            HasSubstr("and would be")));
}

}  // namespace
}  // namespace antiphon
