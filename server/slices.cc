#include "server/slices.h"

#include <string>

namespace antiphon {

namespace {

const Buffer kNoBytes;

}  // namespace

StatusOr<SliceTotals> SumSlices(const LaneStore& store, const TableSlices& slices) {
  SliceTotals totals;
  for (int i = 0; i < slices.size(); ++i) {
    const TableId table = slices[i].table();
    AP_RETURN_IF_ERROR(store.CheckTable(table));
    if (i > 0 && table <= slices[i - 1].table()) {
      return InvalidArgumentError("table " + std::to_string(table) + " follows table " +
                                  std::to_string(slices[i - 1].table()) +
                                  ", expected ascending tables, each once");
    }
    // Neither sum can overflow: there are fewer than 2^16 slices of less than 2^32 keys, and a row
    // has at most 2^16 floats.
    totals.keys += slices[i].count();
    totals.floats += uint64_t{slices[i].count()} * store.table(table).dim();
  }
  return totals;
}

const Buffer& BulkFrame(const Message& message, size_t index) {
  const std::span<const Buffer> bulk = message.bulk();
  return index < bulk.size() ? bulk[index] : kNoBytes;
}

Status CheckFrame(const Message& message, size_t index, std::string_view what, uint64_t count,
                  size_t element_bytes) {
  const size_t bytes = BulkFrame(message, index).size();
  // By division, since count times element_bytes comes from a peer.
  if (bytes % element_bytes == 0 && bytes / element_bytes == count) {
    return Status();
  }
  return InvalidArgumentError("the frame of " + std::string(what) + " has " +
                              std::to_string(bytes) + " bytes, expected " + std::to_string(count) +
                              " times " + std::to_string(element_bytes));
}

Status CheckFrameCount(const Message& message, size_t frames) {
  if (message.bulk().size() <= frames) {
    return Status();
  }
  return InvalidArgumentError("the message has " + std::to_string(message.bulk().size()) +
                              " raw frames, expected " + std::to_string(frames));
}

}  // namespace antiphon
