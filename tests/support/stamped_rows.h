// Rows whose floats must all be the same number: the count of the row's updates. A row of which one
// float differs was torn, and a file whose rows do not add up to the updates that it says to have
// is not of one moment.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>

#include "common/base/file_system.h"
#include "common/base/status.h"
#include "common/ckpt/lane_file_reader.h"
#include "proto/cluster.pb.h"
#include "proto/parameters.pb.h"

namespace antiphon {

// A table where a gradient of -1 for each float adds 1 to the stamp, and nothing else moves.
inline TableSpec StampedTable(uint32_t dim) {
  TableSpec table;
  table.set_name("stamps");
  table.set_dim(dim);
  table.mutable_optimizer()
      ->mutable_sgd_optimizer()
      ->mutable_learning_rate()
      ->mutable_constant_learning_rate()
      ->set_learning_rate(1);
  return table;
}

struct StampCheck {
  uint64_t rows = 0;
  uint64_t torn = 0;
  double updates = 0;    // the sum of all stamps
  uint64_t through = 0;  // how far partition 0 was applied, by the file's header
};

// Reads a lane's file of one table of stamps.
inline StatusOr<StampCheck> CheckStamps(FileSystem& fs, const std::string& folder,
                                        const SnapshotFile& file) {
  constexpr size_t kHeaderBytes = 16;
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<LaneFileReader> reader,
                      LaneFileReader::Open(fs, folder, file));
  StampCheck check;
  check.through = reader->header().groups(0).positions(0).applied_through();
  while (true) {
    AP_ASSIGN_OR_RETURN(const std::optional<LaneBlock> block, reader->Next());
    if (!block.has_value()) {
      return check;
    }
    if (block->kind != BlockKind::kRows) {
      continue;
    }
    const size_t row_bytes = block->payload.size() / block->count;
    for (size_t at = 0; at < block->payload.size(); at += row_bytes) {
      float stamp = 0;
      std::memcpy(&stamp, block->payload.data() + at + kHeaderBytes, sizeof(stamp));
      bool is_torn = false;
      for (size_t i = kHeaderBytes; i < row_bytes; i += sizeof(float)) {
        is_torn =
            is_torn || std::memcmp(block->payload.data() + at + i, &stamp, sizeof(stamp)) != 0;
      }
      ++check.rows;
      check.torn += is_torn ? 1 : 0;
      check.updates += stamp;
    }
  }
}

}  // namespace antiphon
