#include "tests/versions/version_maker.h"

#include <fstream>
#include <memory>
#include <span>

#include <gtest/gtest.h>

#include "common/base/crc32c.h"
#include "common/math/age_histogram.h"
#include "models/checked_job.h"
#include "models/job_plan.h"
#include "models/trained_model.h"
#include "serving/emb_writer.h"
#include "serving/feature_description.h"
#include "serving/served_state.h"
#include "serving/signature.h"
#include "serving/version_directory.h"
#include "tests/support/memory_file_system.h"

namespace antiphon {
namespace {

constexpr char kJob[] = R"(
name: "small"
train_input_path: "small.csv"
train_config {
  optimizer_config { rowwise_adagrad_optimizer {
    learning_rate { constant_learning_rate { learning_rate: 0.1 } } } }
  optimizer_config { adam_optimizer {
    learning_rate { constant_learning_rate { learning_rate: 0.001 } } } }
}
data_config {
  batch_size: 64
  with_header: true
  label_fields: ["click"]
  input_fields { input_name: "click" input_type: INT64 }
  input_fields { input_name: "user" }
}
feature_config {
  features { input_names: "user" embedding_dim: 4 }
}
model_config {
  model_class: "DNN"
  feature_groups { group_name: "all" feature_names: ["user"] }
  dnn_model {
    task_towers { tower_name: "click" label_name: "click" dnn { hidden_units: [4] } }
  }
}
)";

// A model whose every dense weight is one number.
class StampedModel final : public TrainedModel {
 public:
  StampedModel(const TrainingPlan& plan, float stamp) : plan_(plan) {
    for (const BlockSpec& block : plan.schema().blocks()) {
      blocks_.emplace_back(size_t{block.rows()} * block.cols(), stamp);
    }
  }
  const Job& job() const override { return job_; }
  const TrainingPlan& plan() const override { return plan_; }
  const std::string& folder() const override { return folder_; }
  bool CopyRow(TableId, Key, float*) const override { return false; }
  std::span<const float> block(BlockId id) const override { return blocks_[id]; }

 private:
  const TrainingPlan& plan_;
  const Job job_;
  const std::string folder_;
  std::vector<std::vector<float>> blocks_;
};

}  // namespace

VersionMaker::VersionMaker(const std::string& directory) : directory_(directory) {
  EXPECT_TRUE(fs_.MakeDirectories(directory).ok());
  MemoryFileSystem memory;
  EXPECT_TRUE(memory.MakeDirectories("/job").ok());
  EXPECT_TRUE(WriteFileAtomically(memory, "/job/small.textproto", kJob).ok());
  const StatusOr<JobFile> job = LoadCheckedJob(memory, "/job/small.textproto", {});
  EXPECT_TRUE(job.ok()) << job.status();
  const StatusOr<TrainingPlan> plan = PlanWithoutData(job->job);
  EXPECT_TRUE(plan.ok()) << plan.status();
  plan_ = *plan;
  for (const FeatureConfig& feature : job->job.feature_config().features()) {
    plan_.add_features()->set_feature_name(feature.input_names(0));
  }
}

VersionLink VersionMaker::Full(const MadeVersion& version) {
  return Write(version, Signature());
}

VersionLink VersionMaker::Step(const VersionLink& before, const MadeVersion& version) {
  Signature signature;
  ServedStep& step = *signature.mutable_step();
  step.set_base(BaseOf(before.signature));
  step.set_sequence(SequenceOf(before.signature) + 1);
  step.set_predecessor(before.signature.version());
  step.set_predecessor_digest(before.digest);
  return Write(version, signature);
}

void VersionMaker::SetCurrent(uint64_t number) {
  const Status status = WriteCurrent(fs_, directory_, number);
  EXPECT_TRUE(status.ok()) << status;
}

void VersionMaker::Damage(uint64_t number, const std::string& file) {
  const std::string path = directory_ + "/" + VersionFolderName(number) + "/" + file;
  std::fstream stream(path, std::ios::binary | std::ios::in | std::ios::out);
  ASSERT_TRUE(stream.is_open()) << path;
  stream.put('\x7f');
}

VersionLink VersionMaker::Write(const MadeVersion& version, Signature signature) {
  const std::string folder = directory_ + "/" + VersionFolderName(version.number);
  EXPECT_TRUE(fs_.MakeDirectories(folder + "/" + kEmbeddingFolder).ok());
  signature.set_format(kSignatureFormat);
  signature.set_model_name("small");
  signature.set_model_id(HexDigits(version.model_id));
  signature.set_version(version.number);
  signature.set_cut_ms(version.cut_ms);
  AgeHistogram ages;
  for (const int64_t age : version.sample_ages_ms) {
    ages.Add(age);
  }
  ages.ToProto(*signature.mutable_sample_ages());
  const Job job = JobOfPlan(plan_).value();
  const auto features = DescribeFeatures(job, plan_);
  EXPECT_TRUE(features.ok()) << features.status();
  signature.mutable_features()->Add(features->begin(), features->end());
  WriteFile(folder, kGraphFile, "a graph, which the library only compares", signature);
  WriteFile(folder, kStateFile, EncodeServedState(StampedModel(plan_, version.stamp)).value(),
            signature);
  WriteRows(version, folder, signature);
  const std::string json = SignatureJson(signature).value();
  std::ofstream(folder + "/" + kSignatureFile, std::ios::binary) << json;
  return {.folder = folder, .signature = signature, .digest = VersionDigest(json)};
}

void VersionMaker::WriteRows(const MadeVersion& version, const std::string& folder,
                             Signature& signature) {
  const std::string table_name = plan_.schema().tables(0).name();
  const std::string name = EmbeddingFile(table_name);
  std::vector<ServedTombstone> tombstones;
  for (const Key key : version.removed) {
    tombstones.push_back({.key = key, .reason = TombstoneReason::kAge});
  }
  // In memory first: a test has no power cut to fear, and syncs take most of its time.
  MemoryFileSystem memory;
  EXPECT_TRUE(memory.MakeDirectories("/t").ok());
  auto writer = EmbWriter::Create(memory, "/t/rows",
                                  {.model_id = version.model_id,
                                   .version = version.number,
                                   .dim = kDim,
                                   .kind = signature.has_step() ? EmbKind::kStep : EmbKind::kFull},
                                  version.rows, tombstones);
  EXPECT_TRUE(writer.ok()) << writer.status();
  for (size_t i = 0; i < version.rows.size(); ++i) {
    EXPECT_TRUE((*writer)->Add(std::vector<float>(kDim, version.stamp)).ok());
  }
  ServedFile file = (*writer)->Finish().value();
  file.set_name(name);
  *signature.add_files() = file;
  std::ofstream(folder + "/" + name, std::ios::binary)
      << ReadWholeFile(memory, "/t/rows", file.bytes()).value();
  ServedTable& table = *signature.add_tables();
  table.set_name(table_name);
  table.set_file(name);
  table.set_dim(kDim);
  table.set_precision(ToProto(RowPrecision::kFp32));
  table.set_rows(version.rows.size());
  if (signature.has_step()) {
    table.set_tombstones(version.removed.size());
  }
}

void VersionMaker::WriteFile(const std::string& folder, const std::string& name,
                             const std::string& contents, Signature& signature) {
  ServedFile& file = *signature.add_files();
  file.set_name(name);
  file.set_bytes(contents.size());
  file.set_crc32c(Crc32c(std::as_bytes(std::span(contents))));
  std::ofstream(folder + "/" + name, std::ios::binary) << contents;
}

}  // namespace antiphon
