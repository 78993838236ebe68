#include "server/lane_file_source.h"

#include <algorithm>
#include <vector>

namespace antiphon {

namespace {

constexpr uint32_t kMaxRowsOfABlock = 64 << 10;

// Gathers rows of one table and passes them on in blocks.
class RowBlocks {
 public:
  RowBlocks(const RowTable& table, LaneFileWriter& writer)
      : table_(table), writer_(writer), row_bytes_(table.layout().row_bytes()) {
    max_rows_ = std::clamp<uint32_t>(static_cast<uint32_t>(kBlockTargetBytes / row_bytes_), 1,
                                     kMaxRowsOfABlock);
    payload_.reserve(size_t{max_rows_} * row_bytes_);
  }

  void Add(const std::byte* row) {
    payload_.insert(payload_.end(), row, row + row_bytes_);
    if (++count_ == max_rows_) {
      Flush();
    }
  }

  // The first failure; nothing is written after it.
  Status Finish() {
    Flush();
    return status_;
  }

 private:
  void Flush() {
    if (count_ > 0 && status_.ok()) {
      status_ = writer_.Append({.kind = BlockKind::kRows,
                                .subject = table_.table(),
                                .index = 0,
                                .count = count_,
                                .payload = payload_});
    }
    payload_.clear();
    count_ = 0;
  }

  const RowTable& table_;
  LaneFileWriter& writer_;
  uint32_t row_bytes_;
  uint32_t max_rows_ = 0;
  uint32_t count_ = 0;
  std::vector<std::byte> payload_;
  Status status_;
};

template <typename T>
void AppendBytes(std::vector<std::byte>& out, std::span<const T> values) {
  const std::span<const std::byte> bytes = std::as_bytes(values);
  out.insert(out.end(), bytes.begin(), bytes.end());
}

}  // namespace

LaneFileHeader MakeLaneFileHeader(const LaneState& state, uint64_t version) {
  const LaneStore& store = *state.store;
  LaneFileHeader header;
  header.set_version(version);
  header.set_cluster_id(store.view().cluster_id());
  header.set_lane(store.lane());
  *header.mutable_schema() = store.schema();
  state.ledger.Save(header.mutable_groups());
  for (TableId id = 0; id < store.table_count(); ++id) {
    header.add_table_pushes(store.table(id).push_count());
  }
  return header;
}

Status AppendLane(const LaneStore& store, LaneFileWriter& writer) {
  for (TableId id = 0; id < store.table_count(); ++id) {
    RowBlocks blocks(store.table(id), writer);
    for (const ShardId shard : store.shards()) {
      store.table(id).ForEachRow(shard, [&blocks](const std::byte* row) { blocks.Add(row); });
    }
    AP_RETURN_IF_ERROR(blocks.Finish());
  }
  std::vector<std::byte> payload;
  for (size_t i = 0; i < store.dense().chunk_count(); ++i) {
    const DenseChunk chunk = store.dense().chunk(i);
    payload.clear();
    AppendBytes(payload, std::span<const uint64_t>(&chunk.steps, 1));
    AppendBytes(payload, chunk.values);
    AppendBytes(payload, chunk.state);
    AP_RETURN_IF_ERROR(writer.Append({.kind = BlockKind::kChunk,
                                      .subject = chunk.place->block,
                                      .index = chunk.place->index,
                                      .count = static_cast<uint32_t>(chunk.values.size()),
                                      .payload = payload}));
  }
  return Status();
}

}  // namespace antiphon
