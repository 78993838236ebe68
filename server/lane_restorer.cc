#include "server/lane_restorer.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "common/ckpt/little_endian.h"
#include "common/cluster/chunk_layout.h"
#include "common/cluster/shard_map.h"
#include "common/optim/loss_balance.h"
#include "server/finite.h"

namespace antiphon {

namespace {

// What a wanted row costs, in rows that are only looked at.
constexpr size_t kWantedByUnwanted = 16;

Status Differs(const std::string& what, const std::string& theirs, const std::string& ours) {
  return FailedPreconditionError("the snapshot is of another model: " + what + " is " + theirs +
                                 ", the job has " + ours);
}

Status CheckNumber(const std::string& what, uint64_t theirs, uint64_t ours) {
  return theirs == ours ? Status() : Differs(what, std::to_string(theirs), std::to_string(ours));
}

Status CheckNotMore(const std::string& what, int theirs, int ours) {
  return theirs <= ours ? Status() : Differs(what, std::to_string(theirs), std::to_string(ours));
}

// What the parts of a row are decides where its state lies.
Status CheckSegments(const TableSpec& theirs, const TableSpec& ours) {
  const std::string of = " of table '" + ours.name() + "'";
  AP_RETURN_IF_ERROR(CheckNumber("the number of row segments" + of,
                                 static_cast<uint64_t>(theirs.segments_size()),
                                 static_cast<uint64_t>(ours.segments_size())));
  for (int i = 0; i < ours.segments_size(); ++i) {
    const RowSegment& a = theirs.segments(i);
    const RowSegment& b = ours.segments(i);
    const std::string where = "row segment " + std::to_string(i) + of;
    AP_RETURN_IF_ERROR(CheckNumber("dim of " + where, a.dim(), b.dim()));
    AP_RETURN_IF_ERROR(CheckNumber("optimizer of " + where + " (field number)",
                                   a.optimizer().optimizer_case(), b.optimizer().optimizer_case()));
  }
  return Status();
}

// The sizes and names that decide where a float belongs. Learning rates may change, and the job may
// have more tables and blocks behind those of the snapshot.
Status CheckSameModel(const ParameterSchema& theirs, const ParameterSchema& ours) {
  AP_RETURN_IF_ERROR(CheckNumber("num_shards", theirs.shard_count(), ours.shard_count()));
  AP_RETURN_IF_ERROR(CheckNumber("chunk_floats", theirs.chunk_floats(), ours.chunk_floats()));
  AP_RETURN_IF_ERROR(
      CheckNotMore("the number of tables", theirs.tables_size(), ours.tables_size()));
  for (int i = 0; i < theirs.tables_size(); ++i) {
    const TableSpec& a = theirs.tables(i);
    const TableSpec& b = ours.tables(i);
    const std::string where = "table " + std::to_string(i);
    if (a.name() != b.name()) {
      return Differs(where, "'" + a.name() + "'", "'" + b.name() + "'");
    }
    AP_RETURN_IF_ERROR(CheckNumber("dim of table '" + b.name() + "'", a.dim(), b.dim()));
    AP_RETURN_IF_ERROR(CheckNumber("optimizer of table '" + b.name() + "' (field number)",
                                   a.optimizer().optimizer_case(), b.optimizer().optimizer_case()));
    AP_RETURN_IF_ERROR(CheckSegments(a, b));
  }
  AP_RETURN_IF_ERROR(
      CheckNotMore("the number of dense blocks", theirs.blocks_size(), ours.blocks_size()));
  for (int i = 0; i < theirs.blocks_size(); ++i) {
    const BlockSpec& a = theirs.blocks(i);
    const BlockSpec& b = ours.blocks(i);
    const std::string where = "block '" + b.name() + "'";
    if (a.name() != b.name()) {
      return Differs("block " + std::to_string(i), "'" + a.name() + "'", "'" + b.name() + "'");
    }
    AP_RETURN_IF_ERROR(CheckNumber("rows of " + where, a.rows(), b.rows()));
    if (!CanGoOn(a.loss_balance(), b.loss_balance())) {
      AP_RETURN_IF_ERROR(CheckNumber("cols of " + where, a.cols(), b.cols()));
    }
    AP_RETURN_IF_ERROR(CheckNumber("optimizer of " + where + " (field number)",
                                   a.optimizer().optimizer_case(), b.optimizer().optimizer_case()));
  }
  return Status();
}

std::string NameOfRow(const RowTable& table, const RowHeader& header) {
  return "key " + std::to_string(header.key()) + " of table " + std::to_string(table.table());
}

}  // namespace

LaneRestorer::LaneRestorer(FileSystem& fs, LaneStore& store)
    : fs_(fs), store_(store), dense_(store.dense()), adopts_(false) {
  Want(store.shards());
}

LaneRestorer::LaneRestorer(FileSystem& fs, LaneStore& store, DenseStore& dense,
                           const std::vector<ShardId>& adopted)
    : fs_(fs), store_(store), dense_(dense), adopts_(true) {
  Want(adopted);
}

void LaneRestorer::Want(const std::vector<ShardId>& shards) {
  wanted_.assign(store_.shard_count(), 0);
  for (const ShardId shard : shards) {
    wanted_[shard] = 1;
  }
}

Status LaneRestorer::ReadLink(const std::string& directory, const SnapshotFiles& files) {
  BeginLink(directory, files);
  for (bool more = true; more;) {
    AP_ASSIGN_OR_RETURN(more, Advance(std::numeric_limits<size_t>::max()));
  }
  for (TableId id = 0; id < store_.table_count(); ++id) {
    store_.table(id).set_push_count(table_pushes_[id]);
  }
  return Status();
}

void LaneRestorer::BeginLink(const std::string& directory, const SnapshotFiles& files) {
  directory_ = directory;
  files_ = files;
  next_file_ = 0;
  reading_.reset();
  is_delta_ = links_ > 0;
  ++links_;
  groups_.clear();
  table_pushes_.assign(store_.table_count(), 0);
  shards_seen_.clear();
  delta_keys_.assign(is_delta_ ? store_.table_count() : 0, {});
  chunks_seen_.clear();
  version_ = 0;
}

StatusOr<bool> LaneRestorer::Advance(size_t bytes) {
  if (reading_.has_value() && reading_->block.has_value()) {
    AP_RETURN_IF_ERROR(Install(*reading_, bytes).WithContext(reading_->file->path()));
    return true;
  }
  if (reading_.has_value()) {
    AP_ASSIGN_OR_RETURN(reading_->block, reading_->file->Next());
    reading_->at = 0;
    if (!reading_->block.has_value()) {
      reading_.reset();
    }
    return true;
  }
  if (next_file_ < files_.size()) {
    AP_RETURN_IF_ERROR(OpenNext());
    return true;
  }
  AP_RETURN_IF_ERROR(EndLink().WithContext(directory_));
  version_before_ = version_;
  return false;
}

Status LaneRestorer::OpenNext() {
  AP_ASSIGN_OR_RETURN(std::unique_ptr<LaneFileReader> file,
                      LaneFileReader::Open(fs_, directory_, files_.Get(next_file_)));
  ++next_file_;
  AP_RETURN_IF_ERROR(ReadHeader(file->header()).WithContext(file->path()));
  if (!adopts_ || HasWanted(file->header())) {
    reading_ = Reading{.file = std::move(file), .block = std::nullopt, .at = 0};
  }
  return Status();
}

bool LaneRestorer::HasWanted(const LaneFileHeader& header) const {
  return std::ranges::any_of(header.groups(), [this](const PositionGroup& group) {
    return std::ranges::any_of(group.shards(), [this](ShardId shard) { return Wants(shard); });
  });
}

// Rows in pieces, other blocks at once.
Status LaneRestorer::Install(Reading& reading, size_t bytes) {
  const LaneBlock& block = *reading.block;
  if (block.kind != BlockKind::kRows) {
    Status read = ReadBlock(block);
    reading.block.reset();
    return read;
  }
  if (reading.at == 0) {
    AP_RETURN_IF_ERROR(CheckRows(block));
  }
  RowTable& table = store_.table(block.subject);
  const size_t row_bytes = table.layout().row_bytes();
  size_t installed = 0;
  for (; reading.at < block.payload.size() && installed < bytes; reading.at += row_bytes) {
    AP_ASSIGN_OR_RETURN(const bool is_wanted,
                        ReadRow(table, block.payload.subspan(reading.at, row_bytes)));
    installed += is_wanted ? row_bytes : row_bytes / kWantedByUnwanted;
  }
  if (reading.at >= block.payload.size()) {
    reading.block.reset();
  }
  return Status();
}

Status LaneRestorer::CheckPlaceInChain(const LaneFileHeader& header) {
  if (header.has_delta_since() != is_delta_) {
    return DataLossError(is_delta_ ? "it is of a full snapshot, expected one of a delta"
                                   : "it is of a delta, expected one of a full snapshot");
  }
  if (is_delta_ && header.delta_since() != version_before_) {
    return DataLossError("it is of a delta of version " + std::to_string(header.delta_since()) +
                         ", expected one of version " + std::to_string(version_before_));
  }
  if (version_ != 0 && header.version() != version_) {
    return DataLossError("it is of version " + std::to_string(header.version()) +
                         ", the others are of version " + std::to_string(version_));
  }
  version_ = header.version();
  return Status();
}

Status LaneRestorer::ReadHeader(const LaneFileHeader& header) {
  AP_RETURN_IF_ERROR(CheckPlaceInChain(header));
  AP_RETURN_IF_ERROR(CheckSameModel(header.schema(), store_.schema()));
  const int tables = header.schema().tables_size();
  if (header.table_pushes_size() != tables) {
    return DataLossError("it counts the pushes of " + std::to_string(header.table_pushes_size()) +
                         " tables, expected " + std::to_string(tables));
  }
  for (int i = 0; i < tables; ++i) {
    uint64_t& pushes = table_pushes_[static_cast<size_t>(i)];
    pushes = std::max(pushes, header.table_pushes(i));
  }
  blocks_ = static_cast<BlockId>(header.schema().blocks_size());
  in_file_.assign(store_.shard_count(), 0);
  for (const PositionGroup& group : header.groups()) {
    for (const ShardId shard : group.shards()) {
      if (shard >= store_.shard_count()) {
        return DataLossError("it has shard " + std::to_string(shard) + " of " +
                             std::to_string(store_.shard_count()));
      }
      in_file_[shard] = 1;
      if (Wants(shard)) {
        shards_seen_.insert(shard);
      }
    }
    groups_.push_back(group);
  }
  return Status();
}

Status LaneRestorer::ReadBlock(const LaneBlock& block) {
  switch (block.kind) {
    case BlockKind::kTombstones:
      return ReadTombstones(block);
    case BlockKind::kSightings:
      return ReadSightings(block);
    default:
      return ReadChunk(block);
  }
}

Status LaneRestorer::CheckRows(const LaneBlock& block) const {
  AP_RETURN_IF_ERROR(store_.CheckTable(block.subject));
  const size_t row_bytes = store_.table(block.subject).layout().row_bytes();
  if (block.payload.size() != row_bytes * block.count) {
    return DataLossError(std::to_string(block.count) + " rows of table " +
                         std::to_string(block.subject) + " have " +
                         std::to_string(block.payload.size()) + " bytes, expected " +
                         std::to_string(row_bytes) + " each");
  }
  return Status();
}

StatusOr<bool> LaneRestorer::ReadRow(RowTable& table, std::span<const std::byte> record) {
  RowHeader header;
  std::memcpy(&header, record.data(), sizeof(header));
  const ShardId shard = store_.ShardOf(table.table(), header.key());
  if (in_file_[shard] == 0) {
    return DataLossError(NameOfRow(table, header) + " is in shard " + std::to_string(shard) +
                         ", which the file does not say to have");
  }
  if (!Wants(shard)) {
    return false;
  }
  floats_.resize(table.layout().floats());
  std::memcpy(floats_.data(), record.data() + sizeof(header), floats_.size() * sizeof(float));
  if (!AllFinite(floats_)) {
    return DataLossError(NameOfRow(table, header) +
                         " is infinite or NaN: the model had diverged when it was saved");
  }
  if (!is_delta_) {
    AP_RETURN_IF_ERROR(table.Insert(header, floats_));
    return true;
  }
  if (!delta_keys_[table.table()].insert(header.key()).second) {
    return DataLossError(NameOfRow(table, header) + " is there twice");
  }
  AP_RETURN_IF_ERROR(table.Insert(header, floats_, InsertMode::kReplace));
  return true;
}

Status LaneRestorer::ReadTombstones(const LaneBlock& block) {
  AP_RETURN_IF_ERROR(store_.CheckTable(block.subject));
  RowTable& table = store_.table(block.subject);
  const auto name = [&](Key key) {
    return "key " + std::to_string(key) + " of table " + std::to_string(block.subject);
  };
  for (size_t at = 0; at < block.payload.size(); at += kTombstoneBytes) {
    const auto key = LoadLittle<Key>(block.payload, at);
    const ShardId shard = store_.ShardOf(block.subject, key);
    if (in_file_[shard] == 0) {
      return DataLossError("the tombstone of " + name(key) + " is of shard " +
                           std::to_string(shard) + ", which the file does not say to have");
    }
    if (delta_keys_[block.subject].contains(key)) {
      return DataLossError(name(key) + " has a tombstone behind its row");
    }
    // A row that came and went between two snapshots was in neither: there is none to remove.
    if (Wants(shard)) {
      table.Remove(key);
    }
  }
  return Status();
}

// Each part lies behind the one before. Where the job counts otherwise than the snapshot did, it
// begins to count anew.
Status LaneRestorer::ReadSightings(const LaneBlock& block) {
  AP_RETURN_IF_ERROR(store_.CheckTable(block.subject));
  sightings_read_ = block.index == 0 ? 0 : sightings_read_;
  SightingCounter* const sightings = store_.table(block.subject).sightings();
  if (sightings != nullptr && sightings_read_ + block.payload.size() <= sightings->bytes().size()) {
    sightings->Merge(sightings_read_, {reinterpret_cast<const uint8_t*>(block.payload.data()),
                                       block.payload.size()});
  }
  sightings_read_ += block.payload.size();
  return Status();
}

uint64_t LaneRestorer::rows() const {
  uint64_t rows = 0;
  for (TableId id = 0; id < store_.table_count(); ++id) {
    rows += store_.table(id).row_count();
  }
  return rows;
}

Status LaneRestorer::ReadChunk(const LaneBlock& block) {
  const std::string name =
      "chunk " + std::to_string(block.index) + " of block " + std::to_string(block.subject);
  const ParameterSchema& schema = store_.schema();
  if (block.subject >= static_cast<uint32_t>(schema.blocks_size()) ||
      block.index >=
          ChunkCount(schema.blocks(static_cast<int>(block.subject)), schema.chunk_floats())) {
    return DataLossError("there is no " + name);
  }
  const ShardId shard = ShardOfChunk(block.subject, block.index, store_.shard_count());
  if (in_file_[shard] == 0) {
    return DataLossError(name + " is in shard " + std::to_string(shard) +
                         ", which the file does not say to have");
  }
  if (!Wants(shard)) {
    return Status();
  }
  const size_t float_bytes =
      block.payload.size() - std::min(block.payload.size(), sizeof(uint64_t));
  if (float_bytes % sizeof(float) != 0 || float_bytes / sizeof(float) < block.count) {
    return DataLossError(name + " has " + std::to_string(block.payload.size()) +
                         " bytes, too few for " + std::to_string(block.count) + " values");
  }
  uint64_t steps = 0;
  std::memcpy(&steps, block.payload.data(), sizeof(steps));
  floats_.resize(float_bytes / sizeof(float));
  std::memcpy(floats_.data(), block.payload.data() + sizeof(steps), float_bytes);
  if (!AllFinite(floats_)) {
    return DataLossError(name + " is infinite or NaN: the model had diverged when it was saved");
  }
  if (!chunks_seen_.emplace(block.subject, block.index).second) {
    return DataLossError(name + " is there twice");
  }
  const std::span<const float> all(floats_);
  return dense_.Restore(block.subject, block.index, steps, all.first(block.count),
                        all.subspan(block.count));
}

Status LaneRestorer::EndLink() {
  for (ShardId shard = 0; shard < wanted_.size(); ++shard) {
    if (Wants(shard) && !shards_seen_.contains(shard)) {
      return DataLossError("shard " + std::to_string(shard) + " is in no file of the snapshot");
    }
  }
  // Blocks that are new to the job start as they do without a snapshot.
  size_t expected = 0;
  for (size_t i = 0; i < dense_.chunk_count(); ++i) {
    expected += dense_.chunk(i).place->block < blocks_ ? 1 : 0;
  }
  if (chunks() != expected) {
    return DataLossError("the snapshot has " + std::to_string(chunks()) +
                         " dense chunks of this lane, expected " + std::to_string(expected));
  }
  return Status();
}

}  // namespace antiphon
