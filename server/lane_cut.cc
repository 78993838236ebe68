#include "server/lane_cut.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "common/base/logging.h"
#include "common/ckpt/little_endian.h"
#include "common/cluster/shard_map.h"

namespace antiphon {

namespace {

constexpr uint32_t kMaxRowsOfABlock = 64 << 10;
// Copied, it keeps a lane busy for 20 to 100 microseconds.
constexpr size_t kSliceBytes = size_t{256} << 10;

template <typename T>
void AppendBytes(std::vector<std::byte>& out, std::span<const T> values) {
  const std::span<const std::byte> bytes = std::as_bytes(values);
  out.insert(out.end(), bytes.begin(), bytes.end());
}

}  // namespace

LaneFileHeader MakeLaneFileHeader(const LaneState& state, const WriteSnapshotRequest& request) {
  const LaneStore& store = *state.store;
  LaneFileHeader header;
  header.set_version(request.version());
  if (request.has_delta_since()) {
    header.set_delta_since(request.delta_since());
  }
  header.set_cluster_id(store.view().cluster_id());
  header.set_lane(store.lane());
  *header.mutable_schema() = store.schema();
  state.ledger.Save(header.mutable_groups());
  for (TableId id = 0; id < store.table_count(); ++id) {
    header.add_table_pushes(store.table(id).push_count());
  }
  return header;
}

// Gathers rows of one table and passes them on in blocks.
class LaneCut::RowBlocks final : public RowSink {
 public:
  RowBlocks(const RowTable& table, LaneCut& cut)
      : table_(table),
        shard_count_(cut.store_.shard_count()),
        cut_(cut),
        row_bytes_(table.layout().row_bytes()) {
    max_rows_ = std::clamp<uint32_t>(static_cast<uint32_t>(kBlockTargetBytes / row_bytes_), 1,
                                     kMaxRowsOfABlock);
  }

  void Take(const std::byte* row) override {
    if (table_.has_strangers() && !table_.Serves(ShardOf(HeaderOf(row).key()))) {
      return;
    }
    if (count_ == 0) {
      payload_ = cut_.writer_.TakeBuffer();
      payload_.reserve(size_t{max_rows_} * row_bytes_);
    }
    payload_.insert(payload_.end(), row, row + row_bytes_);
    // Flags are the business of this process.
    HeaderOf(payload_.data() + payload_.size() - row_bytes_).set_flags(0);
    if (++count_ == max_rows_) {
      Flush();
    }
  }

  void Flush() {
    if (count_ > 0) {
      cut_.Submit({.file = cut_.file_,
                   .kind = BlockKind::kRows,
                   .subject = table_.table(),
                   .index = 0,
                   .count = std::exchange(count_, 0),
                   .payload = std::move(payload_)});
      payload_ = {};
    }
  }

 private:
  ShardId ShardOf(Key key) const { return ShardOfKey(table_.table(), key, shard_count_); }

  const RowTable& table_;
  const uint32_t shard_count_;
  LaneCut& cut_;
  uint32_t row_bytes_;
  uint32_t max_rows_ = 0;
  uint32_t count_ = 0;
  std::vector<std::byte> payload_;
};

LaneCut::LaneCut(LaneStore& store, CutScope scope, std::shared_ptr<LaneFile> file,
                 SnapshotWriter& writer)
    : store_(store), file_(std::move(file)), writer_(writer), chunks_(*this) {
  for (TableId id = 0; id < store.table_count(); ++id) {
    row_blocks_.push_back(std::make_unique<RowBlocks>(store.table(id), *this));
    store.table(id).BeginCut(scope, *row_blocks_.back());
    TakeTombstones(store.table(id), scope);
  }
  store.dense().BeginCut(chunks_);
}

LaneCut::~LaneCut() = default;

LaneCut::Progress LaneCut::Advance() {
  if (const auto result = file_->result(); result.has_value() && !result->ok()) {
    GiveUp(Status());  // the file says why
  }
  if (!HandOver()) {
    return Progress::kWaiting;
  }
  if (AdvanceRows() || AdvanceChunks() || AdvanceSightings()) {
    return Progress::kMore;
  }
  if (given_up_) {
    return Progress::kDone;
  }
  if (!std::exchange(ended_, true)) {
    Submit({.file = file_,
            .kind = BlockKind::kEnd,
            .subject = 0,
            .index = 0,
            .count = 0,
            .payload = {}});
  }
  return HandOver() ? Progress::kDone : Progress::kWaiting;
}

bool LaneCut::AdvanceRows() {
  for (; next_table_ < row_blocks_.size(); ++next_table_) {
    // What a change saved in the meantime may have reached the last row.
    if (store_.table(next_table_).AdvanceCut(kSliceBytes)) {
      return true;
    }
    row_blocks_[next_table_]->Flush();
  }
  return false;
}

bool LaneCut::AdvanceChunks() {
  return store_.dense().AdvanceCut(kSliceBytes / sizeof(float));
}

bool LaneCut::AdvanceSightings() {
  for (; sightings_table_ < row_blocks_.size(); ++sightings_table_, sightings_at_ = 0) {
    const SightingCounter* sightings = store_.table(sightings_table_).sightings();
    if (sightings == nullptr || sightings_at_ == sightings->bytes().size()) {
      continue;
    }
    const auto all = std::as_bytes(sightings->bytes());
    const auto part = all.subspan(sightings_at_, std::min(kSliceBytes, all.size() - sightings_at_));
    std::vector<std::byte> payload = writer_.TakeBuffer();
    AppendBytes(payload, part);
    Submit({.file = file_,
            .kind = BlockKind::kSightings,
            .subject = sightings_table_,
            .index = static_cast<uint32_t>(sightings_at_ / kSliceBytes),
            .count = static_cast<uint32_t>(part.size()),
            .payload = std::move(payload)});
    sightings_at_ += part.size();
    return true;
  }
  return false;
}

void LaneCut::TakeTombstones(RowTable& table, CutScope scope) {
  const std::optional<std::vector<Tombstone>> taken = table.TakeTombstones();
  if (scope == CutScope::kAllRows) {
    return;  // who reads all rows need not know which went
  }
  CHECK(taken.has_value());
  const std::span<const Tombstone> all(*taken);
  for (size_t begin = 0; begin < all.size(); begin += kMaxRowsOfABlock) {
    const auto part = all.subspan(begin, std::min<size_t>(kMaxRowsOfABlock, all.size() - begin));
    std::vector<std::byte> payload(part.size() * kTombstoneBytes);
    for (size_t i = 0; i < part.size(); ++i) {
      StoreLittle(payload, i * kTombstoneBytes, part[i].key);
      StoreLittle(payload, i * kTombstoneBytes + sizeof(Key),
                  static_cast<uint32_t>(part[i].reason));
    }
    Submit({.file = file_,
            .kind = BlockKind::kTombstones,
            .subject = table.table(),
            .index = 0,
            .count = static_cast<uint32_t>(part.size()),
            .payload = std::move(payload)});
  }
}

void LaneCut::TakeChunk(const DenseChunk& chunk) {
  std::vector<std::byte> payload = writer_.TakeBuffer();
  AppendBytes(payload, std::span<const uint64_t>(&chunk.steps, 1));
  AppendBytes(payload, chunk.values);
  AppendBytes(payload, chunk.state);
  Submit({.file = file_,
          .kind = BlockKind::kChunk,
          .subject = chunk.place->block,
          .index = chunk.place->index,
          .count = static_cast<uint32_t>(chunk.values.size()),
          .payload = std::move(payload)});
}

void LaneCut::Submit(WritePiece piece) {
  if (given_up_) {
    return;
  }
  waiting_bytes_ += piece.payload.size();
  waiting_.push_back(std::move(piece));
  HandOver();
  if (waiting_bytes_ > kMaxWaitingBytes) {
    GiveUp(ResourceExhaustedError(file_->path() + ": " + std::to_string(waiting_bytes_ >> 20) +
                                  " MiB of rows changed before they were written, at most " +
                                  std::to_string(kMaxWaitingBytes >> 20) +
                                  " are kept; the disk is too slow for this lane"));
  }
}

bool LaneCut::HandOver() {
  while (!waiting_.empty()) {
    const size_t bytes = waiting_.front().payload.size();
    if (!writer_.TrySubmit(waiting_.front())) {
      return false;
    }
    waiting_bytes_ -= bytes;
    waiting_.pop_front();
  }
  return true;
}

void LaneCut::GiveUp(const Status& why) {
  if (std::exchange(given_up_, true)) {
    return;
  }
  status_ = why;
  for (TableId id = 0; id < row_blocks_.size(); ++id) {
    store_.table(id).AbandonCut();
  }
  store_.dense().AbandonCut();
  while (!waiting_.empty()) {
    waiting_.pop_front();
  }
  waiting_bytes_ = 0;
}

}  // namespace antiphon
