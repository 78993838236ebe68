#include "scoring/frozen_model.h"

#include <algorithm>
#include <cstring>

#include "common/ckpt/little_endian.h"
#include "common/ckpt/snapshot_manifest.h"
#include "common/cluster/chunk_layout.h"
#include "common/data/job_text.h"

namespace antiphon {
namespace {

// docs/snapshot.md: before a row's weights stand its key and 8 bytes of counts and times, before a
// chunk's values the number of its updates.
constexpr size_t kRowHeaderBytes = 16;
constexpr size_t kChunkHeaderBytes = 8;

}  // namespace

StatusOr<std::unique_ptr<FrozenModel>> FrozenModel::Load(FileSystem& fs, const std::string& path) {
  std::unique_ptr<FrozenModel> model(new FrozenModel());
  AP_ASSIGN_OR_RETURN(model->folder_, FindNewestSnapshot(fs, path));
  AP_ASSIGN_OR_RETURN(const SnapshotManifest manifest, ReadManifest(fs, model->folder_));
  AP_RETURN_IF_ERROR(model->ReadPlan(manifest).WithContext(model->folder_));
  for (const SnapshotFile& file : manifest.files()) {
    AP_ASSIGN_OR_RETURN(const std::unique_ptr<LaneFileReader> reader,
                        LaneFileReader::Open(fs, model->folder_, file));
    AP_RETURN_IF_ERROR(model->ReadFile(*reader).WithContext(reader->path()));
  }
  AP_RETURN_IF_ERROR(model->Finish().WithContext(model->folder_));
  return model;
}

Status FrozenModel::ReadPlan(const SnapshotManifest& manifest) {
  plan_ = manifest.plan();
  AP_ASSIGN_OR_RETURN(const ParsedJob parsed, ParseJobText("the job in it", plan_.job()));
  job_ = parsed.job;
  AP_RETURN_IF_ERROR(CheckSchema(plan_.schema()));
  for (const TableSpec& table : plan_.schema().tables()) {
    tables_.push_back({.dim = table.dim(), .places = {}, .weights = {}});
  }
  for (const BlockSpec& block : plan_.schema().blocks()) {
    blocks_.emplace_back(BlockFloats(block));
    floats_missing_.push_back(BlockFloats(block));
  }
  return Status();
}

Status FrozenModel::ReadFile(LaneFileReader& reader) {
  while (true) {
    AP_ASSIGN_OR_RETURN(const std::optional<LaneBlock> block, reader.Next());
    if (!block.has_value()) {
      return Status();
    }
    AP_RETURN_IF_ERROR(block->kind == BlockKind::kRows ? ReadRows(*block) : ReadChunk(*block));
  }
}

Status FrozenModel::ReadRows(const LaneBlock& block) {
  if (block.subject >= tables_.size()) {
    return DataLossError("it has rows of table " + std::to_string(block.subject) +
                         ", the plan has " + std::to_string(tables_.size()) + " tables");
  }
  Table& table = tables_[block.subject];
  const size_t row_bytes = block.count == 0 ? 0 : block.payload.size() / block.count;
  if (row_bytes * block.count != block.payload.size() ||
      row_bytes < kRowHeaderBytes + table.dim * sizeof(float)) {
    return DataLossError(std::to_string(block.count) + " rows of table " +
                         std::to_string(block.subject) + " have " +
                         std::to_string(block.payload.size()) + " bytes, expected at least " +
                         std::to_string(kRowHeaderBytes + table.dim * sizeof(float)) + " each");
  }
  for (size_t at = 0; at < block.payload.size(); at += row_bytes) {
    table.places.emplace_back(LoadLittle<Key>(block.payload, at), table.weights.size());
    table.weights.resize(table.weights.size() + table.dim);
    std::memcpy(table.weights.data() + table.places.back().second,
                block.payload.data() + at + kRowHeaderBytes, table.dim * sizeof(float));
  }
  return Status();
}

Status FrozenModel::ReadChunk(const LaneBlock& block) {
  const uint64_t begin = uint64_t{block.index} * plan_.schema().chunk_floats();
  const std::string name =
      "chunk " + std::to_string(block.index) + " of block " + std::to_string(block.subject);
  if (block.subject >= blocks_.size() || begin + block.count > blocks_[block.subject].size() ||
      block.payload.size() < kChunkHeaderBytes + block.count * sizeof(float)) {
    return DataLossError(name + " is not one of the plan, or has too few bytes");
  }
  if (floats_missing_[block.subject] < block.count) {
    return DataLossError(name + " is there twice");
  }
  floats_missing_[block.subject] -= block.count;
  std::memcpy(blocks_[block.subject].data() + begin, block.payload.data() + kChunkHeaderBytes,
              block.count * sizeof(float));
  return Status();
}

Status FrozenModel::Finish() {
  for (size_t id = 0; id < blocks_.size(); ++id) {
    if (floats_missing_[id] > 0) {
      return DataLossError("block '" + plan_.schema().blocks(static_cast<int>(id)).name() +
                           "' lacks " + std::to_string(floats_missing_[id]) + " of its values");
    }
  }
  for (Table& table : tables_) {
    std::sort(table.places.begin(), table.places.end());
    const auto twin =
        std::adjacent_find(table.places.begin(), table.places.end(),
                           [](const auto& a, const auto& b) { return a.first == b.first; });
    if (twin != table.places.end()) {
      return DataLossError("key " + std::to_string(twin->first) + " is there twice");
    }
  }
  return Status();
}

const float* FrozenModel::FindRow(TableId table, Key key) const {
  const auto& places = tables_[table].places;
  const auto found =
      std::lower_bound(places.begin(), places.end(), key,
                       [](const auto& place, Key wanted) { return place.first < wanted; });
  const bool is_there = found != places.end() && found->first == key;
  return is_there ? tables_[table].weights.data() + found->second : nullptr;
}

}  // namespace antiphon
