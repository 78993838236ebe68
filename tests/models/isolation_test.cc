// How far back the gradient of a task reaches, in every model whose tasks have a tower each.
#include "models/isolation.h"

#include <algorithm>
#include <ostream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/models/runner_fixture.h"

namespace antiphon {
namespace {

using testing::FloatNear;
using testing::Pointwise;

struct IsolationCase {
  const char* name;
  Job (*job)(const std::string& of_like);  // with this in the tower of "like"
};

std::ostream& operator<<(std::ostream& out, const IsolationCase& c) {
  return out << c.name;
}

std::string Towers(const std::string& of_like) {
  return R"(task_towers { tower_name: "click" label_name: "click" dnn { hidden_units: 5 } }
            task_towers { tower_name: "like" label_name: "like" dnn { hidden_units: 5 }
                          weight: 0.5 )" +
         of_like + "} }";
}

Job MmoeJob(const std::string& of_like) {
  return SampleJob(R"(model_class: "MMoE" mmoe { expert_dnn { hidden_units: [8, 6] } )" +
                   Towers(of_like));
}
Job UmsJob(const std::string& of_like) {
  return SampleJob(R"(model_class: "UMS" ums { public_dnn { hidden_units: 6 }
                      expert_dnn { hidden_units: 5 } private_dnn { hidden_units: 4 } )" +
                   Towers(of_like));
}
Job UmsJobWithScenesOfItsOwn(const std::string& of_like) {
  Job job = UmsJob(of_like);
  Ums& ums = *job.mutable_model_config()->mutable_ums();
  ums.set_scene_tower(Ums::PER_SCENE);
  ums.set_cross_scene_scores(Ums::STOP_GRADIENT);
  return job;
}
Job StarJob(const std::string& of_like) {
  return SampleJob(R"(model_class: "STAR" star { aux_dnn { hidden_units: 3 } )" + Towers(of_like));
}
Job PepNetJob(const std::string& of_like) {
  return PepNetSampleJob(Towers(of_like));
}

class IsolationTest : public RunnerTest, public testing::WithParamInterface<IsolationCase> {
 protected:
  SampleStep Batch() {
    SampleStep step(schema_, 64, 21, 0.8);
    Rng rng(22);  // away from where gates and scenes start
    for (std::vector<float>& block : step.blocks()) {
      for (float& x : block)
        x += static_cast<float>(0.1 * rng.Normal());
    }
    return step;
  }
  StepResult TrainWith(const std::string& isolate) {
    Build(GetParam().job("isolate: " + isolate));
    SampleStep step = Batch();
    return Train(step);
  }
  // As if there were no such task.
  StepResult TrainWithoutLike() {
    Build(GetParam().job(""));
    SampleStep step = Batch();
    std::fill(step.batch().labels[1].begin(), step.batch().labels[1].end(), kUnknownLabel);
    return Train(step);
  }
  static void ExpectTablesNear(const StepResult& a, const StepResult& b) {
    for (size_t t = 0; t < a.gradients.tables.size(); ++t)
      EXPECT_THAT(a.gradients.tables[t], Pointwise(FloatNear(1e-4F), b.gradients.tables[t]));
  }
};

TEST_P(IsolationTest, LossMaskTrainsNothing) {
  const StepResult masked = TrainWith("LOSS_MASK");
  const StepResult without = TrainWithoutLike();

  EXPECT_EQ(masked.gradients.blocks, without.gradients.blocks);
  EXPECT_EQ(masked.gradients.block_present, without.gradients.block_present);
  EXPECT_EQ(masked.gradients.tables, without.gradients.tables);
  EXPECT_EQ(masked.output.loss, without.output.loss);
  EXPECT_EQ(masked.output.logits[1].size(), 64U);
}

TEST_P(IsolationTest, BackboneStopTrainsWhatIsOfTheTaskAlone) {
  const StepResult open = TrainWith("NONE");
  const StepResult stopped = TrainWith("BACKBONE_STOP");
  const StepResult without = TrainWithoutLike();

  int own_blocks = 0;
  for (size_t b = 0; b < stopped.gradients.blocks.size(); ++b) {
    const bool is_own = BlockName(b).find("like.") != std::string::npos;
    const StepGradients& expected = is_own ? open.gradients : without.gradients;
    EXPECT_EQ(stopped.gradients.blocks[b], expected.blocks[b]) << BlockName(b);
    EXPECT_EQ(stopped.gradients.block_present[b], expected.block_present[b]) << BlockName(b);
    own_blocks += is_own ? 1 : 0;
  }
  EXPECT_GE(own_blocks, 4);
  ExpectTablesNear(stopped, without);
}

TEST_P(IsolationTest, EmbedStopTrainsAllButTheEmbeddings) {
  const StepResult open = TrainWith("NONE");
  const StepResult stopped = TrainWith("EMBED_STOP");
  const StepResult without = TrainWithoutLike();

  EXPECT_EQ(stopped.gradients.blocks, open.gradients.blocks);
  ExpectTablesNear(stopped, without);
  EXPECT_NE(stopped.gradients.tables, open.gradients.tables);
}

// Of rows whose scene has no such task.
TEST_P(IsolationTest, PermutingMaskedLabelsChangesNoBit) {
  Job job = GetParam().job("");
  SceneTasks& song = *job.mutable_model_config()->add_scene_tasks();
  song.set_scene("song");
  song.add_tower_names("click");
  Build(job);
  SampleStep step = Batch();
  const StepResult before = Train(step);
  std::vector<float>& likes = step.batch().labels[1];
  std::vector<float> masked;
  for (size_t r = 0; r < likes.size(); ++r) {
    if (step.batch().scene[r] == 1)
      masked.push_back(likes[r]);
  }
  const std::vector<float> likes_before = likes;
  for (size_t r = 0; r < likes.size(); ++r) {
    if (step.batch().scene[r] == 1) {
      likes[r] = masked.back();
      masked.pop_back();
    }
  }
  EXPECT_NE(likes, likes_before);

  const StepResult after = Train(step);

  EXPECT_EQ(after.gradients.blocks, before.gradients.blocks);
  EXPECT_EQ(after.gradients.block_present, before.gradients.block_present);
  EXPECT_EQ(after.gradients.tables, before.gradients.tables);
  EXPECT_EQ(after.output.loss, before.output.loss);
}

INSTANTIATE_TEST_SUITE_P(
    Models, IsolationTest,
    testing::Values(IsolationCase{"MMoE", &MmoeJob}, IsolationCase{"UMS", &UmsJob},
                    IsolationCase{"UMSPerScene", &UmsJobWithScenesOfItsOwn},
                    IsolationCase{"STAR", &StarJob}, IsolationCase{"PEPNet", &PepNetJob}),
    [](const testing::TestParamInfo<IsolationCase>& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace antiphon
