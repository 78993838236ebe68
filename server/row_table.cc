#include "server/row_table.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <utility>

#include "common/base/hash.h"
#include "common/base/logging.h"
#include "common/ckpt/row_score.h"
#include "common/cluster/shard_map.h"

namespace antiphon {
namespace {

// How many keys have their memory under way together. Enough to hide a cache miss, few enough for
// the fetched lines to stay in the first-level cache until they are used.
constexpr size_t kBlock = 32;
constexpr size_t kCacheLine = 64;
// So few are remembered however few rows are left.
constexpr size_t kFewTombstones = 1 << 16;

template <int kIntent>
void PrefetchBytes(const std::byte* begin, size_t bytes) {
  for (size_t at = 0; at < bytes; at += kCacheLine) {
    __builtin_prefetch(begin + at, kIntent);
  }
  __builtin_prefetch(begin + bytes - 1, kIntent);
}

// A copy whose size the compiler knows is a few moves; a call of memcpy costs more than the row.
template <size_t kFloats>
void CopyFixed(std::span<std::byte* const> rows, float* out) {
  for (const std::byte* row : rows) {
    if (row == nullptr) {
      std::memset(out, 0, kFloats * sizeof(float));
    } else {
      std::memcpy(out, FloatsOf(row), kFloats * sizeof(float));
    }
    out += kFloats;
  }
}

void CopyAny(std::span<std::byte* const> rows, size_t floats, float* out) {
  for (const std::byte* row : rows) {
    if (row == nullptr) {
      std::fill_n(out, floats, 0.0F);
    } else {
      std::copy_n(FloatsOf(row), floats, out);
    }
    out += floats;
  }
}

void CopyWeights(std::span<std::byte* const> rows, size_t floats, float* out) {
  switch (floats) {
    case 1:
      return CopyFixed<1>(rows, out);
    case 4:
      return CopyFixed<4>(rows, out);
    case 8:
      return CopyFixed<8>(rows, out);
    case 16:
      return CopyFixed<16>(rows, out);
    case 32:
      return CopyFixed<32>(rows, out);
    default:
      return CopyAny(rows, floats, out);
  }
}

}  // namespace

StatusOr<std::unique_ptr<RowTable>> RowTable::Create(const RowTableOptions& options) {
  const std::string where = "table '" + options.spec.name() + "'";
  auto initial_rows = InitialRows::Create(options.spec);
  if (!initial_rows.ok()) {
    return initial_rows.status().WithContext(where);
  }
  auto optimizer = MakeRowOptimizer(options.spec);
  if (!optimizer.ok()) {
    return optimizer.status().WithContext(where);
  }
  return std::unique_ptr<RowTable>(
      new RowTable(options, *std::move(initial_rows), std::move(optimizer).value()));
}

RowTable::RowTable(const RowTableOptions& options, InitialRows initial_rows,
                   std::unique_ptr<RowOptimizer> optimizer)
    : table_(options.table),
      seed_(options.seed),
      shard_count_(options.shard_count),
      initial_rows_(std::move(initial_rows)),
      optimizer_(std::move(optimizer)),
      layout_{.dim = optimizer_->dim(),
              .state_floats = static_cast<uint32_t>(optimizer_->state_floats())},
      store_(layout_.row_bytes()),
      indexes_(options.shard_count),
      admission_(options.spec.row_policy().admission(), Mix64(options.seed, options.table)),
      has_eviction_(options.spec.row_policy().has_eviction()),
      eviction_(options.spec.row_policy().eviction()) {
  for (const ShardId shard : options.owned_shards) {
    indexes_[shard].Open();
  }
}

// Three blocks are under way at a time, one in each stage, so that what one stage asks of the
// memory arrives while the others work.
struct RowTable::Block {
  std::span<const Key> keys;
  std::byte** rows = nullptr;
  float* weights = nullptr;  // null: not wanted
  std::array<uint64_t, kBlock> hashes;
  std::array<ShardId, kBlock> shards;
  std::array<size_t, kBlock> homes;
};

size_t RowTable::Lookup(std::span<const Key> keys, LookupMode mode, std::span<std::byte*> rows) {
  return LookupBlocks(keys, mode, rows, nullptr);
}

size_t RowTable::Read(std::span<const Key> keys, LookupMode mode, std::span<std::byte*> rows,
                      std::span<float> weights) {
  DCHECK_EQ(weights.size(), keys.size() * layout_.dim);
  return LookupBlocks(keys, mode, rows, weights.data());
}

size_t RowTable::LookupBlocks(std::span<const Key> keys, LookupMode mode,
                              std::span<std::byte*> rows, float* weights) {
  DCHECK_EQ(keys.size(), rows.size());
  constexpr size_t kStages = 3;
  std::array<Block, kStages> blocks;
  const size_t count = (keys.size() + kBlock - 1) / kBlock;
  size_t misplaced = 0;
  for (size_t turn = 0; turn < count + kStages - 1; ++turn) {
    if (turn < count) {
      Block& block = blocks[turn % kStages];
      const size_t begin = turn * kBlock;
      block.keys = keys.subspan(begin, std::min(kBlock, keys.size() - begin));
      block.rows = rows.data() + begin;
      block.weights = weights == nullptr ? nullptr : weights + begin * layout_.dim;
      FetchSlots(block);
    }
    if (turn >= 1 && turn - 1 < count) {
      misplaced += FetchRows(blocks[(turn - 1) % kStages]);
    }
    if (turn >= 2) {
      Settle(blocks[(turn - 2) % kStages], mode);
    }
  }
  return misplaced;
}

void RowTable::FetchSlots(Block& block) const {
  for (size_t i = 0; i < block.keys.size(); ++i) {
    const uint64_t hash = PlacementHash(table_, block.keys[i]);
    const ShardId shard = ShardOfHash(hash, shard_count_);
    block.hashes[i] = hash;
    block.shards[i] = shard;
    block.homes[i] = indexes_[shard].HomeOf(hash, shard_count_);
    indexes_[shard].Prefetch(block.homes[i]);
  }
}

size_t RowTable::FetchRows(Block& block) const {
  const size_t bytes_to_weights_end = sizeof(RowHeader) + layout_.dim * sizeof(float);
  size_t misplaced = 0;
  for (size_t i = 0; i < block.keys.size(); ++i) {
    block.rows[i] = nullptr;
    const RowIndex& index = indexes_[block.shards[i]];
    if (!index.owned()) {
      ++misplaced;
      continue;
    }
    index.ForEachCandidate(block.homes[i], block.hashes[i], [&](RowId candidate) {
      std::byte* const row = store_.row(candidate);
      PrefetchBytes<0>(row, bytes_to_weights_end);
      block.rows[i] = block.rows[i] == nullptr ? row : block.rows[i];
    });
  }
  return misplaced;
}

void RowTable::Settle(Block& block, LookupMode mode) {
  for (size_t i = 0; i < block.keys.size(); ++i) {
    std::byte*& row = block.rows[i];
    const bool found = row != nullptr && HeaderOf(row).key() == block.keys[i];
    if (RowIndex& index = indexes_[block.shards[i]]; !found && index.owned()) {
      row = FindOrCreate(block.keys[i], block.hashes[i], index, mode);
    }
  }
  if (block.weights != nullptr) {
    CopyWeights({block.rows, block.keys.size()}, layout_.dim, block.weights);
  }
}

// From the start: keys before this one may have moved slots since its row was fetched.
std::byte* RowTable::FindOrCreate(Key key, uint64_t hash, RowIndex& index, LookupMode mode) {
  std::byte* const row = index.Find(key, hash, indexed_rows());
  if (row != nullptr || mode == LookupMode::kFindOnly || !admission_.Admit(hash, push_count_)) {
    return row;
  }
  std::byte* const added = AddRow(key, hash, index);
  float* const floats = FloatsOf(added);
  initial_rows_.Fill(RowStream(seed_, table_, key), {floats, layout_.dim});
  optimizer_->InitState(floats);
  return added;
}

std::byte* RowTable::AddRow(Key key, uint64_t hash, RowIndex& index) {
  const RowId id = store_.Allocate();
  std::byte* const row = store_.row(id);
  RowHeader header;
  header.set_key(key);
  header.set_flags(cut_.touched_flags());
  HeaderOf(row) = header;
  index.Insert(hash, id, indexed_rows());
  return row;
}

void RowTable::ApplyGradients(std::span<std::byte* const> rows, std::span<const float> gradients,
                              std::span<const uint32_t> counts, int64_t now_unix_seconds) {
  DCHECK_EQ(gradients.size(), rows.size() * layout_.dim);
  DCHECK_EQ(counts.size(), rows.size());
  ++push_count_;
  const uint32_t now = RowSecondsFromUnix(now_unix_seconds);
  for (size_t begin = 0; begin < rows.size(); begin += kBlock) {
    const size_t count = std::min(kBlock, rows.size() - begin);
    const size_t ahead_end = std::min(rows.size(), begin + 2 * kBlock);
    for (size_t i = begin + count; i < ahead_end; ++i) {
      if (rows[i] != nullptr) {
        PrefetchBytes<1>(rows[i], layout_.row_bytes());
      }
    }
    ApplyBlock(rows.subspan(begin, count), gradients.data() + begin * layout_.dim,
               counts.data() + begin, now);
  }
}

void RowTable::ApplyBlock(std::span<std::byte* const> rows, const float* gradients,
                          const uint32_t* counts, uint32_t now) {
  if (cut_.open()) {
    SaveRows(rows);
  }
  const uint32_t seen_and_flags = now | cut_.touched_flags();
  std::array<float*, kBlock> floats;
  for (size_t i = 0; i < rows.size(); ++i) {
    floats[i] = nullptr;
    if (rows[i] == nullptr) {
      continue;
    }
    // A row that the batch has and no loss reached, such as a private feature of another scene.
    // Even a step of 0 would move it, by its momentum.
    const float* gradient = gradients + i * layout_.dim;
    const bool is_zero =
        std::all_of(gradient, gradient + layout_.dim, [](float g) { return g == 0; });
    floats[i] = is_zero ? nullptr : FloatsOf(rows[i]);
    RowHeader& header = HeaderOf(rows[i]);
    // Chance from the push and the key, so that it is the same on any number of lanes.
    const uint64_t random = Mix64(push_count_, header.key());
    if (has_eviction_) {
      DecayCounts(header, now, random);
    }
    header.seen_and_flags = seen_and_flags;
    header.shows = AddToCount(header.shows, counts[i] >> 16, static_cast<uint32_t>(random));
    header.clicks =
        AddToCount(header.clicks, counts[i] & 0xffff, static_cast<uint32_t>(random >> 32));
  }
  optimizer_->Apply({floats.data(), rows.size()}, gradients, push_count_);
}

void RowTable::DecayCounts(RowHeader& header, uint32_t now, uint64_t random) const {
  if (header.last_seen() == 0 || header.last_seen() >= now) {
    return;
  }
  const double factor = AgeFactor(header.last_seen(), now, eviction_.half_life_seconds());
  header.shows = DecayedCount(header.shows, factor, Mix64(random, 1));
  header.clicks = DecayedCount(header.clicks, factor, Mix64(random, 2));
}

void RowTable::MarkSeen(std::byte* row, uint32_t row_seconds) {
  if (cut_.open()) {
    cut_.Save(row);
  }
  HeaderOf(row).seen_and_flags = row_seconds | cut_.touched_flags();
}

// Apart from ApplyBlock, so that training without a cut does not carry its code along.
void RowTable::SaveRows(std::span<std::byte* const> rows) {
  for (std::byte* const row : rows) {
    if (row != nullptr) {
      cut_.Save(row);
    }
  }
}

Status RowTable::Insert(const RowHeader& header, std::span<const float> values, InsertMode mode) {
  const Key key = header.key();
  const auto name = [&] {
    return "key " + std::to_string(key) + " of table " + std::to_string(table_);
  };
  if (values.size() != layout_.floats()) {
    return InvalidArgumentError(name() + " has " + std::to_string(values.size()) +
                                " floats, expected " + std::to_string(layout_.floats()) +
                                " (weights and optimizer state)");
  }
  const uint64_t hash = PlacementHash(table_, key);
  RowIndex* const index = FindIndex(ShardOfHash(hash, shard_count_));
  if (index == nullptr) {
    return Status(StatusCode::kWrongShard, name() + " belongs to another lane");
  }
  std::byte* row = index->Find(key, hash, indexed_rows());
  if (row != nullptr && mode == InsertMode::kNew) {
    return AlreadyExistsError(name() + " is there already");
  }
  row = row != nullptr ? row : AddRow(key, hash, *index);
  HeaderOf(row) = header;
  HeaderOf(row).set_flags(cut_.untouched_flags());
  std::ranges::copy(values, FloatsOf(row));
  return Status();
}

bool RowTable::Remove(Key key) {
  const uint64_t hash = PlacementHash(table_, key);
  RowIndex* const index = FindIndex(ShardOfHash(hash, shard_count_));
  RowId id = 0;
  if (index == nullptr || !index->Erase(key, hash, indexed_rows(), &id)) {
    return false;
  }
  FreeRow(id);
  return true;
}

void RowTable::FreeRow(RowId id) {
  std::byte* const row = store_.row(id);
  if (cut_.open()) {
    cut_.Save(row);
  }
  HeaderOf(row).seen_and_flags = kFreePlace;
  store_.Free(id);
}

bool RowTable::Erase(Key key, EraseReason reason) {
  // What is not served is not the table's to forget: whoever serves it says so in a snapshot.
  if (!Serves(ShardOfKey(table_, key, shard_count_)) || !Remove(key)) {
    return false;
  }
  ++erased_[static_cast<size_t>(reason)];
  if (keeps_tombstones_) {
    tombstones_.push_back({.key = key, .reason = reason});
    if (tombstones_.size() > kFewTombstones && tombstones_.size() > store_.row_count()) {
      keeps_tombstones_ = false;
      tombstones_ = {};
    }
  }
  return true;
}

RowIndex* RowTable::FindIndex(ShardId shard) {
  if (indexes_[shard].owned()) {
    return &indexes_[shard];
  }
  return !adopted_.empty() && adopted_[shard].owned() ? &adopted_[shard] : nullptr;
}

void RowTable::Adopt(std::span<const ShardId> shards) {
  for (RowIndex& unwanted : adopted_) {
    SendAway(std::move(unwanted));
  }
  adopted_.clear();
  if (shards.empty()) {
    return;
  }
  adopted_.resize(shard_count_);
  for (const ShardId shard : shards) {
    CHECK(!Serves(shard)) << "shard " << shard << " is served already";
    adopted_[shard].Open();
  }
}

void RowTable::Serve(std::span<const ShardId> shards) {
  std::vector<RowIndex> served(shard_count_);
  for (const ShardId shard : shards) {
    RowIndex* const index = FindIndex(shard);
    CHECK(index != nullptr) << "shard " << shard << " was neither served nor adopted";
    served[shard] = std::move(*index);
  }
  indexes_.swap(served);
  for (RowIndex& gone : served) {
    SendAway(std::move(gone));
  }
  Adopt({});
}

void RowTable::SendAway(RowIndex index) {
  if (index.size() > 0) {
    going_.push_back(std::move(index));
  }
}

uint64_t RowTable::adopted_rows() const {
  uint64_t rows = 0;
  for (const RowIndex& index : adopted_) {
    rows += index.size();
  }
  return rows;
}

bool RowTable::ForgetSome(size_t rows) {
  size_t freed = 0;
  while (!going_.empty() && freed < rows) {
    const RowIndex& index = going_.front();
    index.ForEachOf(next_going_group_, next_going_group_ + 1, [&](RowId id) {
      FreeRow(id);
      ++freed;
    });
    if (++next_going_group_ == index.group_count()) {
      going_.pop_front();
      next_going_group_ = 0;
    }
  }
  return !going_.empty();
}

void RowTable::KeepTombstones() {
  keeps_tombstones_ = true;
  tombstones_.clear();
}

std::optional<std::vector<Tombstone>> RowTable::TakeTombstones() {
  if (!keeps_tombstones_) {
    return std::nullopt;
  }
  return std::exchange(tombstones_, {});
}

uint64_t RowTable::used_bytes() const {
  return bytes() - (store_.place_count() - store_.row_count()) * layout_.row_bytes();
}

uint64_t RowTable::bytes() const {
  uint64_t total = store_.bytes() + admission_.bytes();
  for (const RowIndex& index : indexes_) {
    total += index.bytes();
  }
  for (const RowIndex& index : adopted_) {
    total += index.bytes();
  }
  for (const RowIndex& index : going_) {
    total += index.bytes();
  }
  return total;
}

}  // namespace antiphon
