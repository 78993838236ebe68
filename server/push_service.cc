#include "server/push_service.h"

#include <algorithm>

#include "server/finite.h"
#include "server/slices.h"

namespace antiphon {

namespace {

enum BulkFrames : size_t { kRowGradients, kRowCounts, kChunkGradients, kKeys };

Status CheckFinite(std::span<const float> gradients, std::string_view what) {
  if (AllFinite(gradients)) {
    return Status();
  }
  return InvalidArgumentError("a gradient of " + std::string(what) +
                              " is infinite or NaN: the worker's loss has diverged");
}

bool IsSet(std::string_view bits, size_t i) {
  return (static_cast<uint8_t>(bits[i / 8]) >> (i % 8) & 1) != 0;
}

}  // namespace

Status PushService::Serve(Incarnation sender, const PushRequest& request, const Message& message,
                          PushReply& reply) {
  const BatchPositions batch = {
      .partition = request.partition(),
      .lease_epoch = request.lease_epoch(),
      .begin = request.begin(),
      .end = request.end(),
      .records = request.has_records() ? request.records() : request.end() - request.begin()};
  AP_ASSIGN_OR_RETURN(const PushScope scope, state_.ledger.Check(batch));
  if (scope == PushScope::kNoGroup) {
    reply.set_outcome(PushReply::DUPLICATE);
    reply.set_applied_through(state_.ledger.Commit(batch));
    ++state_.counters.duplicate_pushes;
    return Status();
  }
  AP_ASSIGN_OR_RETURN(Gradients gradients, ReadGradients(sender, request, message));
  if (scope == PushScope::kSomeGroups) {
    DropAppliedRows(request, gradients);
    DropAppliedChunks(gradients);
  }
  Apply(request, gradients);
  reply.set_outcome(PushReply::APPLIED);
  reply.set_applied_through(state_.ledger.Commit(batch));
  ++state_.counters.pushes;
  state_.counters.pushed_keys += gradients.rows.size();
  return Status();
}

StatusOr<PushService::Gradients> PushService::ReadGradients(Incarnation sender,
                                                            const PushRequest& request,
                                                            const Message& message) {
  const LaneStore& store = *state_.store;
  AP_ASSIGN_OR_RETURN(const SliceTotals totals, SumSlices(store, request.tables()));
  size_t chunk_floats = 0;
  if (!request.chunk_bits().empty()) {
    AP_ASSIGN_OR_RETURN(chunk_floats, store.dense().FloatsOf(request.chunk_bits()));
  }
  const uint64_t key_count = request.has_keys() ? totals.keys : 0;
  AP_RETURN_IF_ERROR(CheckFrameCount(message, request.has_keys() ? 4 : 3));
  AP_RETURN_IF_ERROR(
      CheckFrame(message, kRowGradients, "row gradients", totals.floats, sizeof(float)));
  AP_RETURN_IF_ERROR(CheckFrame(message, kRowCounts, "row counts", totals.keys, sizeof(uint32_t)));
  AP_RETURN_IF_ERROR(
      CheckFrame(message, kChunkGradients, "chunk gradients", chunk_floats, sizeof(float)));
  AP_RETURN_IF_ERROR(CheckFrame(message, kKeys, "keys", key_count, sizeof(Key)));

  Gradients gradients = {.rows = {},
                         .of_rows = BulkFrame(message, kRowGradients).As<float>(),
                         .counts = BulkFrame(message, kRowCounts).As<uint32_t>(),
                         .chunk_bits = request.chunk_bits(),
                         .of_chunks = BulkFrame(message, kChunkGradients).As<float>()};
  AP_RETURN_IF_ERROR(CheckFinite(gradients.of_rows, "a row"));
  AP_RETURN_IF_ERROR(CheckFinite(gradients.of_chunks, "a dense chunk"));
  AP_ASSIGN_OR_RETURN(gradients.rows,
                      FindRows(sender, request, BulkFrame(message, kKeys).As<Key>()));
  return gradients;
}

StatusOr<std::span<std::byte* const>> PushService::FindRows(Incarnation sender,
                                                            const PushRequest& request,
                                                            std::span<const Key> keys) {
  if (request.has_keys()) {
    return FindRowsByKey(request, keys);
  }
  const StepRows<std::byte*>* handle = state_.handles.Find(sender, request.step());
  if (handle == nullptr) {
    return Status(StatusCode::kUnknownHandle,
                  "the pull of step " + std::to_string(request.step()) +
                      " is not remembered any more; send the push again with its keys");
  }
  const bool same =
      std::equal(handle->slices.begin(), handle->slices.end(), request.tables().begin(),
                 request.tables().end(), [](const auto& pulled, const TableSlice& pushed) {
                   return pulled.table == pushed.table() && pulled.count == pushed.count();
                 });
  if (!same) {
    return InvalidArgumentError("the push of step " + std::to_string(request.step()) +
                                " does not have the tables and counts of its pull");
  }
  return std::span<std::byte* const>(handle->rows);
}

StatusOr<std::span<std::byte* const>> PushService::FindRowsByKey(const PushRequest& request,
                                                                 std::span<const Key> keys) {
  LaneStore& store = *state_.store;
  // All keys are looked at before the first row is made.
  size_t at = 0;
  for (const TableSlice& slice : request.tables()) {
    AP_RETURN_IF_ERROR(store.CheckKeys(slice.table(), keys.subspan(at, slice.count())));
    at += slice.count();
  }
  rows_.resize(keys.size());
  const std::span<std::byte*> rows(rows_);
  at = 0;
  for (const TableSlice& slice : request.tables()) {
    store.table(slice.table())
        .Lookup(keys.subspan(at, slice.count()), LookupMode::kCreate,
                rows.subspan(at, slice.count()));
    at += slice.count();
  }
  return std::span<std::byte* const>(rows_);
}

void PushService::DropAppliedRows(const PushRequest& request, Gradients& gradients) {
  if (gradients.rows.data() != rows_.data()) {
    rows_.assign(gradients.rows.begin(), gradients.rows.end());
  }
  size_t at = 0;
  for (const TableSlice& slice : request.tables()) {
    for (const size_t end = at + slice.count(); at < end; ++at) {
      if (rows_[at] == nullptr) {
        continue;  // an id that was not admitted
      }
      const ShardId shard = state_.store->ShardOf(slice.table(), HeaderOf(rows_[at]).key());
      if (!state_.ledger.AppliesTo(shard)) {
        rows_[at] = nullptr;
      }
    }
  }
  gradients.rows = rows_;
}

void PushService::DropAppliedChunks(Gradients& gradients) {
  const DenseStore& dense = state_.store->dense();
  chunk_bits_.assign(gradients.chunk_bits.size(), '\0');
  chunk_gradients_.clear();
  size_t at = 0;
  for (size_t i = 0; i < 8 * gradients.chunk_bits.size(); ++i) {
    if (!IsSet(gradients.chunk_bits, i)) {
      continue;
    }
    const Chunk& place = *dense.chunk(i).place;
    const std::span<const float> of_chunk = gradients.of_chunks.subspan(at, place.floats);
    at += place.floats;
    if (state_.ledger.AppliesTo(place.shard)) {
      chunk_bits_[i / 8] = static_cast<char>(chunk_bits_[i / 8] | 1 << (i % 8));
      chunk_gradients_.insert(chunk_gradients_.end(), of_chunk.begin(), of_chunk.end());
    }
  }
  gradients.chunk_bits = chunk_bits_;
  gradients.of_chunks = chunk_gradients_;
}

void PushService::Apply(const PushRequest& request, const Gradients& gradients) {
  LaneStore& store = *state_.store;
  const int64_t now = clock_.WallSeconds();
  size_t row = 0;
  size_t at = 0;
  int next = 0;
  // Every table, because every one counts its pushes.
  for (TableId id = 0; id < store.table_count(); ++id) {
    RowTable& table = store.table(id);
    const bool has_slice = next < request.tables_size() && request.tables(next).table() == id;
    const size_t count = has_slice ? request.tables(next).count() : 0;
    const size_t floats = count * table.dim();
    table.ApplyGradients(gradients.rows.subspan(row, count), gradients.of_rows.subspan(at, floats),
                         gradients.counts.subspan(row, count), now);
    row += count;
    at += floats;
    next += has_slice ? 1 : 0;
  }
  if (!gradients.chunk_bits.empty()) {
    store.dense().Apply(gradients.chunk_bits, gradients.of_chunks);
  }
}

}  // namespace antiphon
