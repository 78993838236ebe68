// Collecting a lane's parameters into the blocks of its snapshot file. docs/snapshot.md has the
// layout of the payloads. Owned by the lane's thread while it writes.
#pragma once

#include "common/base/status.h"
#include "common/ckpt/lane_file_writer.h"
#include "proto/snapshot.pb.h"
#include "server/lane_state.h"

namespace antiphon {

// The header of the lane's file for a snapshot of this version.
LaneFileHeader MakeLaneFileHeader(const LaneState& state, uint64_t version);

// Every row, by table and shard, then every chunk.
Status AppendLane(const LaneStore& store, LaneFileWriter& writer);

}  // namespace antiphon
