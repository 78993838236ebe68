// A scene and a task that a running cluster is given by an edited job file: at that moment nothing
// moves, the new ones are what a restored job would have, and every sample counts once.
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/rng.h"
#include "common/data/batch.h"
#include "common/data/job_defaults.h"
#include "common/math/gemm.h"
#include "common/net/memory_transport.h"
#include "models/checked_job.h"
#include "tests/cluster/scene_scorer.h"
#include "tests/cluster/trained_model.h"
#include "tools/ctl/extend_job.h"
#include "tools/local/local_cluster.h"
#include "worker/job_engine.h"

namespace antiphon {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

// The new scene stands between the old ones, the task in front of them all.
const std::vector<std::string> kGrown = {
    R"(data_config.scenes=["home", "news", "live"])",
    R"(model_config.ums.task_towers[]={tower_name: "again" label_name: "click" })"};

std::vector<std::string> Joined(std::vector<std::string> first,
                                const std::vector<std::string>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

// Rows without a header in the order of the job's input fields.
std::string Rows(const std::vector<std::string>& scenes, int count, uint64_t seed) {
  Rng rng(seed);
  std::string text;
  for (int i = 0; i < count; ++i) {
    const int click = rng.Chance(0.4) ? 1 : 0;
    text += scenes[rng.Below(scenes.size())] + "," + std::to_string(click) + "," +
            std::to_string(click * static_cast<int>(rng.Below(2))) + ",u" +
            std::to_string(rng.Below(100)) + ",i" + std::to_string(rng.Below(300)) + "," +
            std::to_string(rng.Uniform()) + "\n";
  }
  return text;
}

// A cluster in this process and a ps_ctl that talks to it.
class RunningCluster {
 public:
  RunningCluster(const std::string& job_path, const std::vector<std::string>& overrides,
                 const TrainSetup& setup, const std::string& snapshot_dir)
      : job_(LoadCheckedJob(fs_, job_path, overrides).value()),
        gemm_(Gemm::Create(GemmBackend::kEigen)),
        transport_(clock_) {
    std::vector<EngineFactory*> factories;
    for (uint32_t i = 0; i < setup.workers; ++i) {
      engines_.push_back(std::make_unique<JobEngine>(job_, fs_, clock_, gemm_, JobEngineOptions{}));
      factories.push_back(engines_.back().get());
    }
    cluster_ = LocalCluster::Start(ClusterFor(job_.job, setup, snapshot_dir), transport_, fs_,
                                   clock_, factories)
                   .value();
    client_ =
        CtlClient::Connect(transport_, clock_, cluster_->scheduler_address(), 4711, 60s).value();
  }
  ~RunningCluster() { cluster_->Stop(); }

  ClusterStatus Ask() {
    return client_->Ask<ClusterStatus>(METHOD_STATUS, StatusRequest(), 30s).value();
  }
  void WaitForSamples(uint64_t samples) {
    while (Ask().samples_trained() < samples && !cluster_->WaitFor(5ms)) {
    }
    EXPECT_GE(Ask().samples_trained(), samples);
  }
  void TakeSnapshot() {
    const auto taken = client_->Ask<SnapshotReply>(METHOD_SNAPSHOT, SnapshotRequest(), 60s);
    EXPECT_TRUE(taken.ok()) << taken.status();
  }
  StatusOr<CtlExit> Extend(const std::string& job_path, const std::vector<std::string>& overrides) {
    AP_ASSIGN_OR_RETURN(const JobFile edited, LoadCheckedJob(fs_, job_path, overrides));
    CtlContext context = {.client = *client_, .clock = clock_, .out = printed_, .timeout = 60s};
    return ExtendJob(context, fs_, job_path, edited);
  }
  Status Wait() { return cluster_->Wait(); }
  std::string printed() const { return printed_.str(); }

 private:
  PosixFileSystem fs_;
  SystemClock clock_;
  const JobFile job_;
  const Gemm gemm_;
  MemoryTransport transport_;
  std::vector<std::unique_ptr<JobEngine>> engines_;
  std::unique_ptr<LocalCluster> cluster_;
  std::unique_ptr<CtlClient> client_;
  std::ostringstream printed_;
};

class JobExtensionTest : public ::testing::Test {
 protected:
  JobExtensionTest()
      : folder_(::testing::TempDir() + "antiphon_" +
                ::testing::UnitTest::GetInstance()->current_test_info()->name() + "_" +
                std::to_string(::getpid())),
        job_(WriteSceneJob(folder_)) {
    Write("plain.csv", Rows({"home", "live"}, 2000, 1));
    std::filesystem::create_directories(folder_ + "/segments");
  }
  ~JobExtensionTest() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ + "/" + name + ".tmp") << text;
    std::filesystem::rename(folder_ + "/" + name + ".tmp", folder_ + "/" + name);
  }
  std::string Read(const std::string& name) const {
    std::ifstream file(folder_ + "/" + name);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  // The job on files without a header, and on a folder of segments behind them.
  static std::vector<std::string> Files() {
    return {"train_input_path[0]=plain.csv", "data_config.with_header=false",
            "eval_config.when=NEVER"};
  }
  static std::vector<std::string> Stream() {
    return Joined(Files(), {"train_config.sync_replicas=false",
                            R"(data_config.stream={folder { path: "segments" }})"});
  }

  const std::string folder_;
  const std::string job_;
};

TEST_F(JobExtensionTest, NothingMovesAndWhatIsNewIsWhatARestoredJobHas) {
  const std::string report = folder_ + "/report.json";
  TrainedBits before;
  TrainedBits after;
  {
    RunningCluster cluster(job_, Stream(), {.servers = 2, .workers = 2, .report_path = report},
                           folder_ + "/running");
    cluster.WaitForSamples(4000);
    cluster.TakeSnapshot();
    before = ReadTrainedBits(folder_ + "/running");
    std::filesystem::copy(folder_ + "/running", folder_ + "/before",
                          std::filesystem::copy_options::recursive);

    const StatusOr<CtlExit> extended = cluster.Extend(job_, Joined(Stream(), kGrown));

    ASSERT_TRUE(extended.ok()) << extended.status();
    EXPECT_THAT(cluster.printed(), HasSubstr("new tasks: again\nnew scenes: news\n"));
    cluster.TakeSnapshot();
    after = ReadTrainedBits(folder_ + "/running");
    Write("segments/part-0.csv", Rows({"news"}, 500, 2));
    Write("segments/END", "");
    EXPECT_TRUE(cluster.Wait().ok());
  }
  const TrainedBits end = ReadTrainedBits(folder_ + "/running");
  const std::string said = Read("report.json");
  std::filesystem::remove(folder_ + "/segments/part-0.csv");
  const TrainedBits restored = [&] {
    RunningCluster cluster(job_, Joined(Stream(), kGrown),
                           {.servers = 1, .restore_dir = folder_ + "/before"},
                           folder_ + "/restored");
    EXPECT_TRUE(cluster.Wait().ok());
    return ReadTrainedBits(folder_ + "/restored");
  }();

  EXPECT_EQ(before.rows, after.rows);
  for (const BlockSpec& block : before.plan.schema().blocks()) {
    EXPECT_EQ(BlockBits(before, block.name()), BlockBits(after, block.name())) << block.name();
  }
  EXPECT_GT(after.chunks.size(), before.chunks.size() + 10);
  EXPECT_EQ(after.chunks, restored.chunks);
  EXPECT_EQ(after.rows, restored.rows);
  SceneScorer old_model(before, job_, Stream());
  SceneScorer new_model(after, job_, Joined(Stream(), kGrown));
  for (const auto& [old_scene, new_scene] :
       {std::pair(0U, 0U), std::pair(1U, 2U), std::pair(kUnlistedScene, kUnlistedScene)}) {
    EXPECT_EQ(old_model.Score(old_scene)[0], new_model.Score(new_scene)[0]);
    EXPECT_EQ(old_model.Score(old_scene)[1], new_model.Score(new_scene)[1]);
  }
  EXPECT_EQ(new_model.Score(1), new_model.Score(kUnlistedScene));
  EXPECT_NE(new_model.Score(1), new_model.Score(0));

  // Rows of the new scene train its own blocks and leave those of the others alone.
  for (const BlockSpec& block : after.plan.schema().blocks()) {
    const bool of_others =
        block.name().starts_with("scene.home.") || block.name().starts_with("scene.live.");
    if (of_others || block.name().starts_with("scene.news.")) {
      EXPECT_EQ(BlockBits(after, block.name()) == BlockBits(end, block.name()), of_others)
          << block.name();
    }
  }
  EXPECT_THAT(said, HasSubstr("\"news\""));
  EXPECT_THAT(said, HasSubstr("\"again\""));
}

// Under load, in every mode, with what learns the weights of tasks: every sample is counted once
// for the tasks that were there, and the model goes on.
TEST_F(JobExtensionTest, GoesOnInEveryModeWithEveryBalance) {
  for (const std::string consistency :
       {"train_config.sync_replicas=true", "train_config.sync_replicas=false"}) {
    for (const std::string balance : {"Fixed", "GradNorm", "DWA", "Uncertainty"}) {
      SCOPED_TRACE(consistency + " " + balance);
      const std::vector<std::string> overrides =
          Joined(Files(), {consistency, "data_config.num_epochs=40",
                           "model_config.loss_weight_strategy=" + balance});
      const std::string snapshots = folder_ + "/" + balance + consistency.substr(27);
      RunningCluster cluster(job_, overrides, {.servers = 2, .workers = 2}, snapshots);
      cluster.WaitForSamples(2000);

      const StatusOr<CtlExit> extended = cluster.Extend(job_, Joined(overrides, kGrown));

      ASSERT_TRUE(extended.ok()) << extended.status();
      const Status ended = cluster.Wait();
      EXPECT_TRUE(ended.ok()) << ended;
      const TrainedBits model = ReadTrainedBits(snapshots);
      EXPECT_EQ(model.plan.tasks_size(), 3);
      EXPECT_EQ(model.plan.scenes_size(), 3);
    }
  }
}

TEST_F(JobExtensionTest, RefusesAJobFileThatChangesMoreAndTrainsOn) {
  RunningCluster cluster(job_, Stream(), {}, folder_ + "/running");
  cluster.WaitForSamples(4000);

  const Status batch =
      cluster.Extend(job_, Joined(Joined(Stream(), kGrown), {"data_config.batch_size=32"}))
          .status();

  EXPECT_THAT(batch.message(),
              HasSubstr("--set data_config.batch_size=32: data_config.batch_size: is 64 in the "
                        "running job, got 32"));
  EXPECT_THAT(batch.message(), HasSubstr("stop the job and begin again with --restore"));
  EXPECT_TRUE(cluster.Extend(job_, Stream()).ok());
  EXPECT_THAT(cluster.printed(), HasSubstr("says already"));
  Write("segments/END", "");
  EXPECT_TRUE(cluster.Wait().ok());
}

}  // namespace
}  // namespace antiphon
