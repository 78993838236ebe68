// Lanes without sockets that change at random, write snapshots and are restored from them.
#pragma once

#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "common/base/rng.h"
#include "common/ckpt/snapshot_manifest.h"
#include "server/lane_restorer.h"
#include "server/snapshot_service.h"
#include "tests/server/lane_fixture.h"

namespace antiphon {

inline constexpr Key kChangingKeys = 400;
inline constexpr int64_t kChangedAt = 1'790'000'000;

// What lanes hold. Rows without their flags by table and key, then chunks by block and index.
struct LaneContents {
  std::map<std::pair<TableId, Key>, std::string> rows;
  std::map<std::pair<BlockId, uint32_t>, std::string> chunks;
  friend bool operator==(const LaneContents&, const LaneContents&) = default;
};

template <typename T>
std::string BytesAsText(std::span<const T> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

inline void AddContents(LaneStore& store, LaneContents& contents) {
  std::vector<Key> keys(kChangingKeys);
  std::iota(keys.begin(), keys.end(), 0U);
  std::vector<std::byte*> rows(keys.size());
  for (TableId id = 0; id < store.table_count(); ++id) {
    store.table(id).Lookup(keys, LookupMode::kFindOnly, rows);
    for (const std::byte* row : rows) {
      if (row != nullptr) {
        RowHeader header = HeaderOf(row);
        header.set_flags(0);
        contents.rows[{id, header.key()}] = BytesAsText(std::span<const RowHeader>(&header, 1)) +
                                            BytesAsText(store.table(id).layout().values(row));
      }
    }
  }
  for (size_t i = 0; i < store.dense().chunk_count(); ++i) {
    const DenseChunk chunk = store.dense().chunk(i);
    contents.chunks[{chunk.place->block, chunk.place->index}] =
        std::to_string(chunk.steps) + BytesAsText(chunk.values) + BytesAsText(chunk.state);
  }
}

class ChangingLanes {
 public:
  ChangingLanes(uint32_t count, FileSystem& fs, const ParameterSchema& schema = TestSchema())
      : writer_(fs, SnapshotWriter::Mode::kInline) {
    for (LaneId lane = 0; lane < count; ++lane) {
      auto state = std::make_unique<LaneState>();
      ConfigureRequest config = TestConfig(count, lane);
      *config.mutable_schema() = schema;
      state->store = LaneStore::Create(config).value();
      state->ledger.Reset(kTestShards, state->store->shards());
      services_.push_back(std::make_unique<SnapshotService>(*state, fs, writer_, nullptr));
      states_.push_back(std::move(state));
    }
  }

  // A view of the next epoch with this schema.
  Status Grow(const ParameterSchema& schema) {
    for (LaneId lane = 0; lane < count(); ++lane) {
      LaneStore& store = *states_[lane]->store;
      ConfigureRequest config = TestConfig(count(), lane);
      *config.mutable_schema() = schema;
      config.mutable_view()->set_epoch(store.view().epoch() + 1);
      AP_RETURN_IF_ERROR(store.TakeView(config, nullptr));
    }
    return Status();
  }

  // A push, a pull of new keys or a removal, somewhere.
  void Change(Rng& rng) {
    LaneStore& store = *states_[rng.Below(states_.size())]->store;
    RowTable& table = store.table(static_cast<TableId>(rng.Below(2)));
    std::vector<Key> keys;
    for (uint64_t n = 1 + rng.Below(20); keys.size() < n;) {
      keys.push_back(rng.Below(kChangingKeys));
    }
    if (rng.Below(4) == 0) {
      for (const Key key : keys) {
        table.Erase(key, EraseReason::kScore);
      }
      return;
    }
    std::vector<std::byte*> rows(keys.size());
    table.Lookup(keys, LookupMode::kCreate, rows);
    if (rng.Below(4) > 0) {
      std::vector<float> gradients(keys.size() * table.dim());
      for (float& gradient : gradients) {
        gradient = static_cast<float>(rng.Uniform());
      }
      table.ApplyGradients(rows, gradients, std::vector<uint32_t>(keys.size(), 1U << 16),
                           kChangedAt);
      const size_t chunks = store.dense().chunk_count();
      std::string bits((chunks + 7) / 8, '\0');
      const size_t chunk = rng.Below(chunks);
      bits[chunk / 8] = static_cast<char>(1 << (chunk % 8));
      store.dense().Apply(bits, std::vector<float>(*store.dense().FloatsOf(bits), 1));
    }
  }

  StatusOr<bool> Begin(LaneId lane, const WriteSnapshotRequest& request) {
    WriteSnapshotReply reply;
    return services_[lane]->Write(request, reply);
  }
  // Goes on with every lane to its end, changing things meanwhile, and gathers their files. The
  // first failure.
  Status Finish(Rng* rng, SnapshotFiles* files) {
    Status status;
    for (const std::unique_ptr<SnapshotService>& service : services_) {
      std::optional<StatusOr<WriteSnapshotReply>> result;
      while (!(result = service->TakeResult()).has_value()) {
        if (rng != nullptr) {
          Change(*rng);
        }
        service->Advance();
      }
      if (result->ok()) {
        *files->Add() = (*result)->file();
      } else if (status.ok()) {
        status = result->status();
      }
    }
    return status;
  }

  Status Restore(const RestoreRequest& request) {
    for (const std::unique_ptr<SnapshotService>& service : services_) {
      RestoreReply reply;
      AP_RETURN_IF_ERROR(service->Restore(request, reply));
    }
    return Status();
  }

  LaneContents All() const {
    LaneContents contents;
    for (const std::unique_ptr<LaneState>& state : states_) {
      AddContents(*state->store, contents);
    }
    return contents;
  }
  LaneId count() const { return static_cast<LaneId>(states_.size()); }

 private:
  SnapshotWriter writer_;
  std::vector<std::unique_ptr<LaneState>> states_;
  std::vector<std::unique_ptr<SnapshotService>> services_;
};

// Begins and ends a snapshot of all lanes; null `rng`: nothing changes meanwhile.
inline Status SaveLanes(ChangingLanes& lanes, FileSystem& fs, uint64_t version, uint64_t since,
                        Rng* rng, SnapshotFiles* files) {
  WriteSnapshotRequest request;
  request.set_directory(SnapshotFolder("/snaps", version));
  request.set_version(version);
  if (since != 0) {
    request.set_delta_since(since);
  }
  AP_RETURN_IF_ERROR(fs.MakeDirectories(request.directory()));
  for (LaneId lane = 0; lane < lanes.count(); ++lane) {
    AP_RETURN_IF_ERROR(lanes.Begin(lane, request).status());
  }
  return lanes.Finish(rng, files);
}

}  // namespace antiphon
