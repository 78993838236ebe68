#include "tests/serving/export/snapshot_author.h"

#include <cstring>

#include <gtest/gtest.h>

#include "common/ckpt/snapshot_manifest.h"
#include "common/cluster/chunk_layout.h"
#include "common/data/job_text.h"
#include "models/job_plan.h"

namespace antiphon {
namespace {

constexpr uint64_t kKeys = 60;  // of a table
constexpr size_t kChunkHeaderBytes = 8;

constexpr char kJob[] = R"(
name: "authored"
train_config { optimizer_config { sgd_optimizer {
  learning_rate { constant_learning_rate { learning_rate: 0.1 } } } } }
data_config {
  label_fields: "click"
  input_fields { input_name: "click" input_type: INT64 }
  input_fields { input_name: "user" }
  input_fields { input_name: "item" }
}
feature_config {
  features { input_names: "user" embedding_dim: DIM }
  features { input_names: "item" embedding_dim: 2 }
}
model_config {
  model_class: "SharedBottom"
  feature_groups { group_name: "all" feature_names: ["user", "item"] }
  shared_bottom {
    bottom_dnn { hidden_units: 4 }
    task_towers { tower_name: "click" label_name: "click" dnn { hidden_units: [2] } }
  }
}
)";

void Put(const void* value, size_t bytes, std::string& to) {
  to.append(static_cast<const char*>(value), bytes);
}

void Append(LaneFileWriter& writer, LaneBlock block, const std::string& payload) {
  block.payload = std::as_bytes(std::span(payload));
  const Status status = writer.Append(block);
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace

SnapshotAuthor::SnapshotAuthor(uint64_t seed, uint32_t embedding_dim) : rng_(seed) {
  std::string text = kJob;
  text.replace(text.find("DIM"), 3, std::to_string(embedding_dim));
  const StatusOr<ParsedJob> parsed = ParseJobText("authored", text);
  CHECK(parsed.ok()) << parsed.status();
  StatusOr<TrainingPlan> planned = PlanWithoutData(parsed->job);
  CHECK(planned.ok()) << planned.status();
  plan() = *std::move(planned);
  for (const char* feature : {"user", "item"}) {
    plan().add_features()->set_feature_name(feature);
  }
  manifest_.set_cluster_id(0xabcdef0123456789);
  rows_.resize(static_cast<size_t>(plan().schema().tables_size()));
  changed_.resize(rows_.size());
  removed_.resize(rows_.size());
  histories_.resize(rows_.size());
  for (const BlockSpec& block : plan().schema().blocks()) {
    blocks_.emplace_back(BlockFloats(block));
  }
  Train();
}

std::vector<float> SnapshotAuthor::RandomRow(TableId table) {
  std::vector<float> row(plan().schema().tables(static_cast<int>(table)).dim());
  for (float& weight : row) {
    weight = static_cast<float>(rng_.Uniform() * 2 - 1);
  }
  return row;
}

void SnapshotAuthor::Train() {
  for (TableId table = 0; table < rows_.size(); ++table) {
    for (int i = 0; i < 12; ++i) {
      const Key key = rng_.Below(kKeys) * 0x9e3779b97f4a7c15;
      if (rng_.Chance(0.3)) {
        if (rows_[table].erase(key) > 0) {
          removed_[table][key] = static_cast<uint32_t>(1 + rng_.Below(3));
          changed_[table].erase(key);
          histories_[table].erase(key);
        }
      } else {
        rows_[table][key] = RandomRow(table);
        changed_[table].insert(key);
      }
    }
  }
  for (std::vector<float>& block : blocks_) {
    for (float& value : block) {
      value = static_cast<float>(rng_.Uniform() - 0.5);
    }
  }
}

void SnapshotAuthor::TrainRow(TableId table, Key key, float weight, const RowHistory& history) {
  rows_[table][key].assign(plan().schema().tables(static_cast<int>(table)).dim(), weight);
  histories_[table][key] = history;
  changed_[table].insert(key);
}

void SnapshotAuthor::WriteRows(LaneFileWriter& writer, TableId table,
                               const std::set<Key>& keys) const {
  std::string payload;
  for (const Key key : keys) {
    const std::vector<float>& row = rows_[table].at(key);
    Put(&key, sizeof key, payload);
    const auto known = histories_[table].find(key);
    const RowHistory history = known != histories_[table].end() ? known->second : RowHistory();
    Put(&history.last_seen, sizeof history.last_seen, payload);
    Put(&history.shows, sizeof history.shows, payload);
    Put(&history.clicks, sizeof history.clicks, payload);
    Put(row.data(), row.size() * sizeof(float), payload);
  }
  if (!keys.empty()) {
    Append(writer,
           {.kind = BlockKind::kRows,
            .subject = table,
            .index = 0,
            .count = static_cast<uint32_t>(keys.size()),
            .payload = {}},
           payload);
  }
}

void SnapshotAuthor::WriteTombstones(LaneFileWriter& writer, TableId table) const {
  std::string payload;
  for (const auto& [key, reason] : removed_[table]) {
    Put(&key, sizeof key, payload);
    Put(&reason, sizeof reason, payload);
  }
  if (!payload.empty()) {
    Append(writer,
           {.kind = BlockKind::kTombstones,
            .subject = table,
            .index = 0,
            .count = static_cast<uint32_t>(removed_[table].size()),
            .payload = {}},
           payload);
  }
}

void SnapshotAuthor::WriteChunks(LaneFileWriter& writer) const {
  for (const Chunk& chunk : AllChunks(manifest_.plan().schema())) {
    std::string payload(kChunkHeaderBytes, '\0');
    Put(blocks_[chunk.block].data() + chunk.offset, chunk.floats * sizeof(float), payload);
    Append(writer,
           {.kind = BlockKind::kChunk,
            .subject = chunk.block,
            .index = chunk.index,
            .count = chunk.floats,
            .payload = {}},
           payload);
  }
}

void SnapshotAuthor::Write(FileSystem& fs, const std::string& directory, Kind kind) {
  const bool is_delta = kind == Kind::kDelta;
  const uint64_t base =
      manifest_.kind() == SnapshotManifest::DELTA ? manifest_.base_version() : manifest_.version();
  manifest_.set_kind(is_delta ? SnapshotManifest::DELTA : SnapshotManifest::FULL);
  manifest_.set_base_version(base);
  manifest_.set_predecessor_version(manifest_.version());
  manifest_.set_predecessor_crc32c(manifest_crc32c_);
  if (!is_delta) {
    manifest_.clear_base_version();
    manifest_.clear_predecessor_version();
    manifest_.clear_predecessor_crc32c();
  }
  const std::string folder = SnapshotFolder(directory, ++version_);
  LaneFileHeader header;
  header.set_version(version_);
  header.set_cluster_id(manifest_.cluster_id());
  *header.mutable_schema() = plan().schema();
  if (is_delta) {
    header.set_delta_since(manifest_.version());
  }
  ASSERT_TRUE(fs.MakeDirectories(folder).ok());
  auto writer = LaneFileWriter::Create(fs, folder, LaneFileName(0), header);
  ASSERT_TRUE(writer.ok()) << writer.status();
  for (TableId table = 0; table < rows_.size(); ++table) {
    std::set<Key> all;
    for (const auto& [key, row] : rows_[table]) {
      all.insert(key);
    }
    if (is_delta) {
      WriteTombstones(**writer, table);
    }
    WriteRows(**writer, table, is_delta ? changed_[table] : all);
    changed_[table].clear();
    removed_[table].clear();
  }
  WriteChunks(**writer);
  manifest_.set_version(version_);
  manifest_.set_created_seconds(1'700'000'000 + static_cast<int64_t>(version_));
  manifest_.set_cut_ms(1'700'000'000'000 + static_cast<int64_t>(version_));
  manifest_.clear_files();
  *manifest_.add_files() = (*writer)->Finish().value();
  const StatusOr<uint32_t> crc = WriteManifest(fs, folder, manifest_);
  ASSERT_TRUE(crc.ok()) << crc.status();
  manifest_crc32c_ = *crc;
}

}  // namespace antiphon
