// LaneCut: everything that a lane holds, as it stands at one moment, on its way into a file.
//
// The constructor is the moment. Rows and chunks then leave in slices that the lane takes between
// two requests, and ahead of those whatever a request is about to change. They are gathered in
// blocks that go to the server's SnapshotWriter; docs/snapshot.md has the layout of their payloads.
// Owned by the lane's SnapshotService, on the lane's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "common/base/ring_queue.h"
#include "common/base/status.h"
#include "proto/snapshot.pb.h"
#include "server/dense_store.h"
#include "server/lane_state.h"
#include "server/lane_store.h"
#include "server/row_cut.h"
#include "server/snapshot_writer.h"

namespace antiphon {

// The header of the lane's file for what the request asks.
LaneFileHeader MakeLaneFileHeader(const LaneState& state, const WriteSnapshotRequest& request);

class LaneCut {
 public:
  enum class Progress {
    kMore,     // call again, soon
    kWaiting,  // for the disk: the file's waker says when to call again
    kDone,     // every row has been passed: the lane may be cut again
  };
  // What may wait for the disk in memory, of rows that changed before their turn.
  static constexpr size_t kMaxWaitingBytes = size_t{1} << 30;

  // `store` and `writer` outlive the cut. Of touched rows: all tables have their tombstones, which
  // go first into the file.
  LaneCut(LaneStore& store, CutScope scope, std::shared_ptr<LaneFile> file, SnapshotWriter& writer);
  ~LaneCut();
  LaneCut(const LaneCut&) = delete;
  LaneCut& operator=(const LaneCut&) = delete;

  // One slice, a fraction of a millisecond. kDone: all of the file is with the writer, or, after a
  // failure, nothing more comes.
  Progress Advance();

  // Nothing more goes into the file. Advance still has to pass all rows.
  void GiveUp(const Status& why);

  // Ok, or why the file was given up on this side.
  const Status& status() const { return status_; }

 private:
  class RowBlocks;

  void Submit(WritePiece piece);
  bool HandOver();       // false: the writer has no room
  bool AdvanceRows();    // false: no row is left
  bool AdvanceChunks();  // false: no chunk is left
  bool AdvanceSightings();
  void TakeTombstones(RowTable& table, CutScope scope);
  void TakeChunk(const DenseChunk& chunk);

  class Chunks final : public ChunkSink {
   public:
    explicit Chunks(LaneCut& cut) : cut_(cut) {}
    void Take(const DenseChunk& chunk) override { cut_.TakeChunk(chunk); }

   private:
    LaneCut& cut_;
  };

  LaneStore& store_;
  const std::shared_ptr<LaneFile> file_;
  SnapshotWriter& writer_;
  // By table; the lane may have got more tables since the moment.
  std::vector<std::unique_ptr<RowBlocks>> row_blocks_;
  Chunks chunks_;
  RingQueue<WritePiece> waiting_;  // full blocks for which the writer had no room
  size_t waiting_bytes_ = 0;
  TableId next_table_ = 0;
  // Counters of ids without a row are no exact numbers, so they are taken when their turn comes:
  // what was seen since the moment may be counted again by a replay, and lets in an id early.
  TableId sightings_table_ = 0;
  size_t sightings_at_ = 0;
  bool ended_ = false;  // the end piece is among the waiting, or was handed over
  bool given_up_ = false;
  Status status_;
};

}  // namespace antiphon
