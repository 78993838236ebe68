#include "scoring/frozen_model.h"

#include <algorithm>
#include <cstring>
#include <tuple>

#include "common/ckpt/little_endian.h"
#include "common/cluster/chunk_layout.h"
#include "common/data/job_text.h"

namespace antiphon {
namespace {

// docs/snapshot.md: before a row's weights stand its key and its history, before a chunk's values
// the number of its updates.
constexpr size_t kRowHeaderBytes = 16;
constexpr size_t kChunkHeaderBytes = 8;

// Of the row that begins at `at`.
RowHistory HistoryAt(std::span<const std::byte> payload, size_t at) {
  return {.last_seen = LoadLittle<uint32_t>(payload, at + 8) & kRowSecondsMask,
          .shows = LoadLittle<ApproximateCount>(payload, at + 12),
          .clicks = LoadLittle<ApproximateCount>(payload, at + 14)};
}

}  // namespace

StatusOr<std::unique_ptr<FrozenModel>> FrozenModel::Load(FileSystem& fs, const std::string& path) {
  AP_ASSIGN_OR_RETURN(const SnapshotChain chain, FindNewestChain(fs, path));
  return Read(fs, chain, Removed::kForget);
}

StatusOr<std::unique_ptr<FrozenModel>> FrozenModel::LoadDelta(FileSystem& fs,
                                                              const SnapshotLink& delta) {
  return Read(fs, {&delta, 1}, Removed::kKeep);
}

StatusOr<std::unique_ptr<FrozenModel>> FrozenModel::Read(FileSystem& fs,
                                                         std::span<const SnapshotLink> links,
                                                         Removed removed) {
  std::unique_ptr<FrozenModel> model(new FrozenModel(removed));
  model->folder_ = links.back().folder;
  model->manifest_ = links.back().manifest;
  model->manifest_crc32c_ = links.back().manifest_crc32c;
  AP_RETURN_IF_ERROR(model->ReadPlan().WithContext(model->folder_));
  for (size_t i = 0; i < links.size(); ++i) {
    AP_RETURN_IF_ERROR(model->ReadLink(fs, links[i], static_cast<uint32_t>(i)));
  }
  AP_RETURN_IF_ERROR(model->Finish().WithContext(model->folder_));
  return model;
}

// Every link has all dense blocks; those of the last one stay.
Status FrozenModel::ReadLink(FileSystem& fs, const SnapshotLink& link, uint32_t number) {
  link_ = number;
  for (size_t id = 0; id < blocks_.size(); ++id) {
    floats_missing_[id] = blocks_[id].size();
  }
  for (const SnapshotFile& file : link.manifest.files()) {
    AP_ASSIGN_OR_RETURN(const std::unique_ptr<LaneFileReader> reader,
                        LaneFileReader::Open(fs, link.folder, file));
    AP_RETURN_IF_ERROR(ReadFile(*reader).WithContext(reader->path()));
  }
  return Status();
}

Status FrozenModel::ReadPlan() {
  AP_ASSIGN_OR_RETURN(const ParsedJob parsed, ParseJobText("the job in it", plan().job()));
  job_ = parsed.job;
  AP_RETURN_IF_ERROR(CheckSchema(plan().schema()));
  for (const TableSpec& table : plan().schema().tables()) {
    tables_.push_back({.dim = table.dim(), .places = {}, .weights = {}, .removed = {}});
  }
  for (const BlockSpec& block : plan().schema().blocks()) {
    blocks_.emplace_back(BlockFloats(block));
  }
  floats_missing_.resize(blocks_.size());
  return Status();
}

Status FrozenModel::ReadFile(LaneFileReader& reader) {
  while (true) {
    AP_ASSIGN_OR_RETURN(const std::optional<LaneBlock> block, reader.Next());
    if (!block.has_value()) {
      return Status();
    }
    if (block->kind == BlockKind::kRows) {
      AP_RETURN_IF_ERROR(ReadRows(*block));
    } else if (block->kind == BlockKind::kTombstones) {
      AP_RETURN_IF_ERROR(ReadTombstones(*block));
    } else if (block->kind == BlockKind::kChunk) {
      AP_RETURN_IF_ERROR(ReadChunk(*block));
    }
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
    table.places.push_back({.key = LoadLittle<Key>(block.payload, at),
                            .link = link_,
                            .reason = 0,
                            .weights_at = table.weights.size(),
                            .history = HistoryAt(block.payload, at)});
    table.weights.resize(table.weights.size() + table.dim);
    std::memcpy(table.weights.data() + table.places.back().weights_at,
                block.payload.data() + at + kRowHeaderBytes, table.dim * sizeof(float));
  }
  return Status();
}

Status FrozenModel::ReadTombstones(const LaneBlock& block) {
  if (block.subject >= tables_.size()) {
    return DataLossError("it has tombstones of table " + std::to_string(block.subject) +
                         ", the plan has " + std::to_string(tables_.size()) + " tables");
  }
  for (size_t at = 0; at < block.payload.size(); at += kTombstoneBytes) {
    tables_[block.subject].places.push_back(
        {.key = LoadLittle<Key>(block.payload, at),
         .link = link_,
         .reason = LoadLittle<uint32_t>(block.payload, at + sizeof(Key)),
         .weights_at = Place::kRemoved,
         .history = {}});
  }
  return Status();
}

Status FrozenModel::ReadChunk(const LaneBlock& block) {
  const uint64_t begin = uint64_t{block.index} * plan().schema().chunk_floats();
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
      return DataLossError("block '" + plan().schema().blocks(static_cast<int>(id)).name() +
                           "' lacks " + std::to_string(floats_missing_[id]) + " of its values");
    }
  }
  for (Table& table : tables_) {
    AP_RETURN_IF_ERROR(Settle(table));
  }
  return Status();
}

// Sorts by key and leaves each once: as the last link has it, where a row stands behind the
// tombstone of the row before it.
Status FrozenModel::Settle(Table& table) const {
  const auto order = [](const Place& place) {
    return std::tuple(place.key, place.link, place.weights_at != Place::kRemoved);
  };
  std::vector<Place>& places = table.places;
  std::ranges::sort(places, {}, order);
  const auto twin = std::ranges::adjacent_find(places, [](const Place& a, const Place& b) {
    return a.key == b.key && a.link == b.link && a.weights_at != Place::kRemoved;
  });
  if (twin != places.end()) {
    return DataLossError("key " + std::to_string(twin->key) + " is there twice");
  }
  size_t kept = 0;
  for (size_t i = 0; i < places.size(); ++i) {
    const bool is_last = i + 1 == places.size() || places[i + 1].key != places[i].key;
    if (!is_last) {
      continue;
    }
    if (places[i].weights_at != Place::kRemoved) {
      places[kept++] = places[i];
    } else if (keeps_removed_ == Removed::kKeep) {
      table.removed.push_back({.key = places[i].key, .reason = places[i].reason});
    }
  }
  places.resize(kept);
  return Status();
}

bool FrozenModel::CopyRow(TableId table, Key key, float* weights) const {
  const auto& places = tables_[table].places;
  const auto found = std::ranges::lower_bound(places, key, {}, &Place::key);
  if (found == places.end() || found->key != key) {
    return false;
  }
  std::copy_n(tables_[table].weights.data() + found->weights_at, tables_[table].dim, weights);
  return true;
}

}  // namespace antiphon
