// RowTable: the embedding rows of one table that lie on one lane.
//
// Keys are looked up in batches, because a batch can fetch its memory ahead: a lone lookup waits
// for two cache misses, a batch has dozens under way. Addresses of rows stay valid until the row is
// erased. What a new row starts with depends on (seed, table, key) only. Owned by a Lane and used
// on its thread.
//
// Shards may come and go while the table works. One that comes is filled beside those that are
// served: Insert and Remove reach its rows, lookups and snapshots do not until Serve says that it
// is the table's. The rows of one that went are out of reach at once, and their places are taken
// back in slices.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "common/base/status.h"
#include "common/base/types.h"
#include "common/optim/initializer.h"
#include "common/optim/row_optimizer.h"
#include "proto/parameters.pb.h"
#include "server/row_admission.h"
#include "server/row_cut.h"
#include "server/row_index.h"
#include "server/row_layout.h"
#include "server/row_store.h"

namespace antiphon {

struct RowTableOptions {
  TableId table = 0;
  TableSpec spec;
  uint64_t seed = 0;
  uint32_t shard_count = 0;
  std::vector<ShardId> owned_shards;
};

enum class LookupMode { kCreate, kFindOnly };

// Why a row went. Numbers are part of the snapshot format.
enum class EraseReason : uint32_t {
  kAge = 1,     // no push had it for too long
  kScore = 2,   // too few shows and clicks
  kMemory = 3,  // the server has no room for all
};

struct Tombstone {
  Key key = 0;
  EraseReason reason = EraseReason::kAge;
};

enum class InsertMode { kNew, kReplace };

class RowTable {
 public:
  // Fails when the spec's optimizer or initializer does. The rest of the schema passed CheckSchema.
  static StatusOr<std::unique_ptr<RowTable>> Create(const RowTableOptions& options);

  // rows[i] becomes the row of keys[i]; a missing one is created, if the table's policy admits it,
  // or null, as `mode` says. A key may repeat. Returns how many keys belong to shards that this
  // table does not own, whose rows are null: none, when the caller's cluster view is current.
  size_t Lookup(std::span<const Key> keys, LookupMode mode, std::span<std::byte*> rows);
  // Looks up and copies out dim() floats of each row, one after the other; zeros for a null row.
  // In one pass, since a row that was found lies in the cache for a moment only.
  // weights.size() == keys.size() * dim().
  size_t Read(std::span<const Key> keys, LookupMode mode, std::span<std::byte*> rows,
              std::span<float> weights);

  // One push: updates each row by its gradient, adds its counts (shows << 16 | clicks) and marks it
  // as seen. Where the gradient is all zeros, no loss reached the row: its weights and its
  // optimizer state keep their bits. Null rows are skipped. Also a push without rows counts as one
  // of the table's pushes. gradients.size() == rows.size() * dim(), counts.size() == rows.size().
  void ApplyGradients(std::span<std::byte* const> rows, std::span<const float> gradients,
                      std::span<const uint32_t> counts, int64_t now_unix_seconds);

  // Begins to give `sink` the rows as they stand now; see server/row_cut.h. No cut is open.
  void BeginCut(CutScope scope, RowSink& sink) { cut_.Begin(scope, store_, sink); }
  // Gives away rows of up to `bytes` bytes. False once the cut has all of them and is over.
  bool AdvanceCut(size_t bytes) { return cut_.Advance(1 + bytes / layout_.row_bytes()); }
  void AbandonCut() { cut_.Abandon(); }
  bool cut_open() const { return cut_.open(); }

  // Makes room for shards that may come; those that were to come before are not wanted any more.
  void Adopt(std::span<const ShardId> shards);
  // From now on exactly these are served: every one of them was, or has been adopted. What was
  // adopted besides is forgotten. Addresses of rows of shards that go are not valid any more.
  void Serve(std::span<const ShardId> shards);
  bool Serves(ShardId shard) const { return indexes_[shard].owned(); }
  uint64_t adopted_rows() const;
  // Whether there are rows of shards that are not served, or not any more.
  bool has_strangers() const { return !adopted_.empty() || !going_.empty(); }
  // Takes back the places of about `rows` rows of shards that went. False when none are left.
  bool ForgetSome(size_t rows);

  // Puts back a row of a snapshot; `values` are weights and state. With kNew, kAlreadyExists for a
  // key that is there; kInvalidArgument for another number of floats, kWrongShard for a shard of
  // another lane.
  Status Insert(const RowHeader& header, std::span<const float> values,
                InsertMode mode = InsertMode::kNew);

  // Forgets a row, whose address is given to a later one. False when there is none. Remove says
  // nothing of it in counters and tombstones: for what a snapshot has removed already.
  bool Erase(Key key, EraseReason reason);
  bool Remove(Key key);

  // From now on removals are remembered for the next delta. Where they outnumber the rows that are
  // left, a full snapshot is cheaper: they are forgotten, and TakeTombstones has nothing to give.
  void KeepTombstones();
  // Those since KeepTombstones or the last call; nothing when some are forgotten.
  std::optional<std::vector<Tombstone>> TakeTombstones();
  // Whether TakeTombstones would have something to give.
  bool has_all_tombstones() const { return keeps_tombstones_; }

  // Calls visit(row) for the rows that lie in these places; places end at place_count(). It must
  // not add or remove rows.
  uint64_t place_count() const { return store_.place_count(); }
  bool has_free_place() const { return store_.has_free_place(); }
  template <typename Visit>
  void ForEachRow(uint64_t begin, uint64_t end, Visit visit) const {
    store_.ForEachPlace(begin, end, [&visit](std::byte* row) {
      if (HeaderOf(row).seen_and_flags != kFreePlace) {
        visit(row);
      }
    });
  }
  // As if a push had the row now, without gradient and counts.
  void MarkSeen(std::byte* row, uint32_t row_seconds);

  // Which share of the new ids that the policy admits get a row: 1 unless memory is short.
  void set_room(double share) { admission_.set_room(share); }
  const RowAdmission& admission() const { return admission_; }
  // The counters of ids without a row, for a snapshot; null where the policy has none.
  SightingCounter* sightings() const { return admission_.sightings(); }
  // The policy's, or the defaults where the table never forgets.
  bool has_eviction() const { return has_eviction_; }
  const Eviction& eviction() const { return eviction_; }
  uint64_t erased(EraseReason reason) const { return erased_[static_cast<size_t>(reason)]; }

  TableId table() const { return table_; }
  uint32_t dim() const { return layout_.dim; }
  const RowLayout& layout() const { return layout_; }
  uint64_t row_count() const { return store_.row_count(); }
  uint64_t row_count(ShardId shard) const { return indexes_[shard].size(); }
  // Of rows, indexes and counters of ids without a row: as much as was taken of the machine, and
  // without the places that wait for another row.
  uint64_t bytes() const;
  uint64_t used_bytes() const;

  // How many pushes were applied; a restore sets it to where the snapshot stood.
  uint64_t push_count() const { return push_count_; }
  void set_push_count(uint64_t pushes) { push_count_ = pushes; }

 private:
  RowTable(const RowTableOptions& options, InitialRows initial_rows,
           std::unique_ptr<RowOptimizer> optimizer);

  // A block of a lookup on its way: first its slots are fetched, then its rows, then it is settled.
  struct Block;
  size_t LookupBlocks(std::span<const Key> keys, LookupMode mode, std::span<std::byte*> rows,
                      float* weights);
  void FetchSlots(Block& block) const;
  size_t FetchRows(Block& block) const;
  void Settle(Block& block, LookupMode mode);
  std::byte* FindOrCreate(Key key, uint64_t hash, RowIndex& index, LookupMode mode);
  std::byte* AddRow(Key key, uint64_t hash, RowIndex& index);
  // The index of a shard that is served or adopted, or null.
  RowIndex* FindIndex(ShardId shard);
  void SendAway(RowIndex index);
  void FreeRow(RowId id);
  void DecayCounts(RowHeader& header, uint32_t now, uint64_t random) const;
  void SaveRows(std::span<std::byte* const> rows);
  void ApplyBlock(std::span<std::byte* const> rows, const float* gradients, const uint32_t* counts,
                  uint32_t now);
  IndexedRows indexed_rows() const {
    return {.store = &store_, .table = table_, .shard_count = shard_count_};
  }

  TableId table_;
  uint64_t seed_;
  uint32_t shard_count_;
  InitialRows initial_rows_;
  std::unique_ptr<RowOptimizer> optimizer_;
  RowLayout layout_;
  RowStore store_;
  RowCut cut_;
  std::vector<RowIndex> indexes_;  // by shard; those of other lanes are not open
  std::vector<RowIndex> adopted_;  // by shard, or empty
  std::deque<RowIndex> going_;     // of shards that went
  size_t next_going_group_ = 0;    // of the first of them
  RowAdmission admission_;
  bool has_eviction_;
  Eviction eviction_;
  uint64_t push_count_ = 0;
  std::array<uint64_t, 4> erased_ = {};  // by EraseReason
  bool keeps_tombstones_ = false;
  std::vector<Tombstone> tombstones_;
};

}  // namespace antiphon
