// Reading the slices of a pull or a push: how many keys and floats of each table follow as raw
// frames. Everything here comes from a peer, so sizes are summed in 64 bits and compared with the
// frames before anything is touched. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <google/protobuf/repeated_ptr_field.h>

#include "common/base/status.h"
#include "common/wire/frame.h"
#include "proto/cluster.pb.h"
#include "server/lane_store.h"

namespace antiphon {

using TableSlices = google::protobuf::RepeatedPtrField<TableSlice>;

struct SliceTotals {
  uint64_t keys = 0;
  uint64_t floats = 0;  // keys times dim, over all tables
};

// kInvalidArgument: an unknown table, or tables that are not ascending.
StatusOr<SliceTotals> SumSlices(const LaneStore& store, const TableSlices& slices);

// Bulk frame `index`, or no bytes when the message ends before: an empty last frame may be left
// out.
const Buffer& BulkFrame(const Message& message, size_t index);

// kInvalidArgument unless bulk frame `index` has `count` elements of `element_bytes`. `what` names
// them: "keys".
Status CheckFrame(const Message& message, size_t index, std::string_view what, uint64_t count,
                  size_t element_bytes);

// kInvalidArgument when there are more than `frames` bulk frames.
Status CheckFrameCount(const Message& message, size_t frames);

}  // namespace antiphon
