#include "tests/cluster/trained_model.h"

#include <chrono>
#include <cstring>
#include <memory>

#include <gtest/gtest.h>

#include "common/base/clock.h"
#include "common/base/file_system.h"
#include "common/base/rng.h"
#include "common/ckpt/lane_file_reader.h"
#include "common/ckpt/snapshot_manifest.h"
#include "common/data/job_defaults.h"
#include "common/math/gemm.h"
#include "common/net/memory_transport.h"
#include "models/checked_job.h"
#include "worker/job_engine.h"

namespace antiphon {
namespace {

constexpr size_t kRowHeaderBytes = 16;

constexpr char kSmallJob[] = R"(
name: "small"
seed: 5
train_input_path: "small.csv"
eval_input_path: "small.csv"
train_config {
  optimizer_config { rowwise_adagrad_optimizer {
    learning_rate { constant_learning_rate { learning_rate: 0.1 } } } }
  optimizer_config { adam_optimizer {
    learning_rate { constant_learning_rate { learning_rate: 0.001 } } } }
}
data_config {
  batch_size: 64
  with_header: true
  num_epochs: 2
  partition_size: 500
  shuffle_buffer_size: 300
  label_fields: ["click", "buy"]
  input_fields { input_name: "click" input_type: INT64 }
  input_fields { input_name: "buy" input_type: INT64 }
  input_fields { input_name: "user" }
  input_fields { input_name: "item" }
  input_fields { input_name: "price" input_type: DOUBLE }
}
feature_config {
  features { input_names: "user" embedding_dim: 8 }
  features { input_names: "item" embedding_dim: 4 }
  features { input_names: "price" feature_type: RawFeature normalizers: MIN_MAX }
}
model_config {
  model_class: "MMoE"
  feature_groups { group_name: "all" feature_names: ["user", "item", "price"] }
  mmoe {
    num_expert: 3
    expert_dnn { hidden_units: [16, 8] dropout_ratio: 0.1 }
    task_towers { tower_name: "click" label_name: "click" dnn { hidden_units: [8] } }
    task_towers { tower_name: "buy" label_name: "buy" dnn { hidden_units: [8] } }
  }
}
)";

constexpr char kSceneFields[] = R"(
  input_fields { input_name: "scene" }
  scene_field: "scene"
  scenes: ["home", "live"]
  unknown_scene: SHARED_ONLY)";

constexpr char kPepNetFeatures[] = R"(
  features { feature_name: "prior" input_names: "user" embedding_name: "user" embedding_dim: 8 }
  features { feature_name: "domain" input_names: "scene" embedding_dim: 4 })";

// What stands before and behind the towers.
constexpr char kUms[] = R"(
  model_class: "UMS"
  ums {
    public_dnn { hidden_units: 8 }
    expert_dnn { hidden_units: 8 }
    num_expert: 2
    private_dnn { hidden_units: 4 })";
constexpr char kStar[] = R"(
  model_class: "STAR"
  star {
    aux_dnn { hidden_units: 4 })";
constexpr char kPepNet[] = R"(
  model_class: "PEPNet"
  feature_groups { group_name: "domain" feature_names: "domain" }
  feature_groups { group_name: "prior" feature_names: "prior" }
  pepnet {
    domain_group: "domain"
    prior_group: "prior")";
constexpr char kSceneTowers[] = R"(
    task_towers { tower_name: "click" label_name: "click" dnn { hidden_units: [8] } }
    task_towers { tower_name: "buy" label_name: "buy" dnn { hidden_units: [8] } }
  }
  feature_groups { group_name: "all" feature_names: ["user", "item", "price"] }
}
)";

std::string ModelText(SceneModel model) {
  const char* text = model == SceneModel::kUms    ? kUms
                     : model == SceneModel::kStar ? kStar
                                                  : kPepNet;
  return std::string("model_config {") + text + kSceneTowers;
}

// Puts `text` behind the first `place` of the job.
void Insert(const std::string& place, const std::string& text, std::string& job) {
  job.insert(job.find(place) + place.size(), text);
}

enum class Scenes { kNone, kBoth, kHome };

// 2,000 samples, with kHome about half of them.
std::string SmallData(Scenes scenes) {
  Rng rng(7);
  std::string csv = "click,buy,user,item,price";
  csv += scenes == Scenes::kNone ? "\n" : ",scene\n";
  for (int i = 0; i < 2000; ++i) {
    const uint64_t user = rng.Below(100);
    const uint64_t item = rng.Below(300);
    const int click = rng.Chance(user % 2 == 0 ? 0.6 : 0.2) ? 1 : 0;
    const int buy = click == 1 && rng.Chance(item % 3 == 0 ? 0.5 : 0.1) ? 1 : 0;
    std::string row = std::to_string(click) + "," + std::to_string(buy) + ",u" +
                      std::to_string(user) + ",i" + std::to_string(item) + "," +
                      std::to_string(rng.Uniform());
    const bool is_home = (user + item) % 2 == 0;
    if (scenes != Scenes::kNone) {
      row += is_home ? ",home" : ",live";
    }
    if (scenes != Scenes::kHome || is_home) {
      csv += row + "\n";
    }
  }
  return csv;
}

}  // namespace

TrainedBits ReadTrainedBits(const std::string& snapshot_dir) {
  PosixFileSystem fs;
  TrainedBits model;
  const StatusOr<std::string> folder = FindNewestSnapshot(fs, snapshot_dir);
  EXPECT_TRUE(folder.ok()) << folder.status();
  const StatusOr<SnapshotManifest> manifest = ReadManifest(fs, *folder);
  EXPECT_TRUE(manifest.ok()) << manifest.status();
  model.plan = manifest->plan();
  for (const SnapshotFile& file : manifest->files()) {
    StatusOr<std::unique_ptr<LaneFileReader>> reader = LaneFileReader::Open(fs, *folder, file);
    EXPECT_TRUE(reader.ok()) << reader.status();
    for (;;) {
      StatusOr<std::optional<LaneBlock>> block = (*reader)->Next();
      EXPECT_TRUE(block.ok()) << block.status();
      if (!block.ok() || !block->has_value()) {
        break;
      }
      const LaneBlock& content = **block;
      const auto* bytes = reinterpret_cast<const char*>(content.payload.data());
      if (content.kind == BlockKind::kChunk) {
        model.chunks[{content.subject, content.index}].assign(bytes, content.payload.size());
        continue;
      }
      if (content.kind != BlockKind::kRows) {
        continue;
      }
      const size_t stride = content.payload.size() / content.count;
      for (uint32_t i = 0; i < content.count; ++i, bytes += stride) {
        Key key = 0;
        std::memcpy(&key, bytes, sizeof(key));
        model.rows[{content.subject, key}].assign(bytes + kRowHeaderBytes,
                                                  stride - kRowHeaderBytes);
      }
    }
  }
  return model;
}

std::string BlockBits(const TrainedBits& model, const std::string& name) {
  std::string bits;
  for (const auto& [chunk, bytes] : model.chunks) {
    if (model.plan.schema().blocks(static_cast<int>(chunk.first)).name() == name) {
      bits += bytes;
    }
  }
  return bits;
}

std::string WriteSmallJob(const std::string& folder) {
  PosixFileSystem fs;
  EXPECT_TRUE(fs.MakeDirectories(folder).ok());
  EXPECT_TRUE(WriteFileAtomically(fs, folder + "/small.csv", SmallData(Scenes::kNone)).ok());
  EXPECT_TRUE(WriteFileAtomically(fs, folder + "/small.textproto", kSmallJob).ok());
  return folder + "/small.textproto";
}

std::string WriteSceneJob(const std::string& folder, SceneModel model) {
  PosixFileSystem fs;
  EXPECT_TRUE(fs.MakeDirectories(folder).ok());
  EXPECT_TRUE(WriteFileAtomically(fs, folder + "/small.csv", SmallData(Scenes::kBoth)).ok());
  EXPECT_TRUE(WriteFileAtomically(fs, folder + "/home.csv", SmallData(Scenes::kHome)).ok());
  std::string job(kSmallJob);
  job = job.substr(0, job.find("model_config {")) + ModelText(model);
  Insert("data_config {", kSceneFields, job);
  if (model == SceneModel::kPepNet) {
    Insert("normalizers: MIN_MAX }", kPepNetFeatures, job);
  }
  EXPECT_TRUE(WriteFileAtomically(fs, folder + "/scenes.textproto", job).ok());
  return folder + "/scenes.textproto";
}

LocalClusterOptions ClusterFor(const Job& job, const TrainSetup& setup,
                               const std::string& snapshot_dir) {
  LocalClusterOptions options;
  options.scheduler.heartbeat = std::chrono::milliseconds(20);
  options.scheduler.snapshot_dir = snapshot_dir;
  options.scheduler.restore_dir = setup.restore_dir;
  options.scheduler.outputs.report_path = setup.report_path;
  options.servers = setup.servers;
  options.lanes = setup.lanes;
  options.job_digest = JobDigest(job);
  options.seed = 1;
  options.listen_address = [](const std::string& name) { return "mem://" + name; };
  return options;
}

TrainedBits TrainSmallJob(const std::string& job_path, const std::string& snapshot_dir,
                          const TrainSetup& setup) {
  PosixFileSystem fs;
  SystemClock clock;
  const StatusOr<JobFile> job = LoadCheckedJob(fs, job_path, setup.overrides);
  EXPECT_TRUE(job.ok()) << job.status();
  if (!job.ok()) {
    return {};
  }
  const Gemm gemm = Gemm::Create(GemmBackend::kEigen);
  MemoryTransport transport(clock);
  std::vector<std::unique_ptr<JobEngine>> engines;
  std::vector<EngineFactory*> factories;
  for (uint32_t i = 0; i < setup.workers; ++i) {
    engines.push_back(std::make_unique<JobEngine>(
        *job, fs, clock, gemm, JobEngineOptions{.compute_threads = setup.compute_threads}));
    factories.push_back(engines.back().get());
  }
  StatusOr<std::unique_ptr<LocalCluster>> cluster = LocalCluster::Start(
      ClusterFor(job->job, setup, snapshot_dir), transport, fs, clock, factories);
  EXPECT_TRUE(cluster.ok()) << cluster.status();
  if (!cluster.ok()) {
    return {};
  }
  const Status result = (*cluster)->Wait();
  EXPECT_TRUE(result.ok()) << result;
  (*cluster)->Stop();
  return ReadTrainedBits(snapshot_dir);
}

}  // namespace antiphon
