#include "server/pull_service.h"

#include <string>

#include "server/slices.h"

namespace antiphon {

namespace {

// What may follow the reply's message, whose own size is bounded.
constexpr uint64_t kMaxReplyFloats = (kMaxBodyBytes - kMaxMetaBytes) / sizeof(float);

}  // namespace

Status PullService::Serve(Incarnation sender, const PullRequest& request, const Message& message,
                          PullReply& reply, std::span<Buffer, 2> frames) {
  LaneStore& store = *state_.store;
  AP_ASSIGN_OR_RETURN(const SliceTotals totals, SumSlices(store, request.tables()));
  AP_RETURN_IF_ERROR(CheckFrameCount(message, 1));
  AP_RETURN_IF_ERROR(CheckFrame(message, 0, "keys", totals.keys, sizeof(Key)));

  uint64_t dense_floats = 0;
  if (request.has_dense_version()) {
    const DenseStore& dense = store.dense();
    // A version that this store has not reached yet was another store's.
    const uint64_t known = request.dense_version() > dense.version() ? 0 : request.dense_version();
    reply.set_dense_version(dense.version());
    dense.ChangedSince(known, *reply.mutable_chunk_bits());
    AP_ASSIGN_OR_RETURN(dense_floats, dense.FloatsOf(reply.chunk_bits()));
  }
  if (totals.floats + dense_floats > kMaxReplyFloats) {
    return InvalidArgumentError(
        "the reply would have " + std::to_string(totals.floats + dense_floats) +
        " floats, at most " + std::to_string(kMaxReplyFloats) + " fit; pull fewer keys at a time");
  }

  const std::span<const Key> keys = BulkFrame(message, 0).As<Key>();
  std::vector<std::byte*>* rows = &rows_;
  if (request.purpose() == PURPOSE_TRAIN) {
    StepRows<std::byte*>& handle = state_.handles.Open(sender, request.step());
    for (const TableSlice& slice : request.tables()) {
      handle.slices.push_back({.table = slice.table(), .count = slice.count()});
    }
    rows = &handle.rows;
  }
  rows->resize(keys.size());
  frames[0] = pool_.Acquire(totals.floats * sizeof(float));
  Status found = ReadRows(request, keys, *rows, frames[0].MutableAs<float>());
  if (!found.ok()) {
    state_.handles.Forget(sender, request.step());
    return found;
  }

  frames[1] = pool_.Acquire(dense_floats * sizeof(float));
  if (dense_floats > 0) {
    store.dense().Read(reply.chunk_bits(), frames[1].MutableAs<float>());
  }
  ++state_.counters.pulls;
  state_.counters.pulled_keys += totals.keys;
  return Status();
}

Status PullService::ReadRows(const PullRequest& request, std::span<const Key> keys,
                             std::span<std::byte*> rows, std::span<float> weights) const {
  LaneStore& store = *state_.store;
  const LookupMode mode =
      request.purpose() == PURPOSE_TRAIN ? LookupMode::kCreate : LookupMode::kFindOnly;
  size_t at = 0;
  size_t float_at = 0;
  for (const TableSlice& slice : request.tables()) {
    RowTable& table = store.table(slice.table());
    const std::span<const Key> of_table = keys.subspan(at, slice.count());
    const size_t floats = size_t{slice.count()} * table.dim();
    const size_t misplaced = table.Read(of_table, mode, rows.subspan(at, slice.count()),
                                        weights.subspan(float_at, floats));
    if (misplaced != 0) {
      AP_RETURN_IF_ERROR(store.CheckKeys(slice.table(), of_table));
    }
    at += slice.count();
    float_at += floats;
  }
  return Status();
}

}  // namespace antiphon
