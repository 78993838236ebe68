// snapshot_rows DIR: prints, for each table of the newest snapshot in DIR, its rows and the least
// and the most that any of them was shown: `table rows least most`.
//
// For the end-to-end tests, which compare these numbers with the samples that they wrote.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iostream>
#include <limits>
#include <map>
#include <string>

#include "common/base/exit_code.h"
#include "common/base/file_system.h"
#include "common/ckpt/lane_file_reader.h"
#include "common/ckpt/snapshot_manifest.h"
#include "server/row_layout.h"

namespace antiphon {
namespace {

struct TableRows {
  uint64_t rows = 0;
  uint64_t least_shows = std::numeric_limits<uint64_t>::max();
  uint64_t most_shows = 0;
};

void CountRows(const LaneBlock& block, TableRows& table) {
  const size_t row_bytes = block.payload.size() / block.count;
  for (uint32_t row = 0; row < block.count; ++row) {
    RowHeader header;
    std::memcpy(&header, block.payload.data() + row * row_bytes, sizeof(header));
    const uint64_t shows = CountValue(header.shows);
    ++table.rows;
    table.least_shows = std::min(table.least_shows, shows);
    table.most_shows = std::max(table.most_shows, shows);
  }
}

Status PrintRows(const std::string& directory) {
  PosixFileSystem fs;
  AP_ASSIGN_OR_RETURN(const std::string folder, FindNewestSnapshot(fs, directory));
  AP_ASSIGN_OR_RETURN(const SnapshotManifest manifest, ReadManifest(fs, folder));
  std::map<uint32_t, TableRows> tables;
  for (const SnapshotFile& file : manifest.files()) {
    AP_ASSIGN_OR_RETURN(const std::unique_ptr<LaneFileReader> reader,
                        LaneFileReader::Open(fs, folder, file));
    while (true) {
      AP_ASSIGN_OR_RETURN(const std::optional<LaneBlock> block, reader->Next());
      if (!block.has_value()) {
        break;
      }
      if (block->kind == BlockKind::kRows && block->count > 0) {
        CountRows(*block, tables[block->subject]);
      }
    }
  }
  for (const auto& [index, table] : tables) {
    std::cout << manifest.plan().schema().tables(static_cast<int>(index)).name() << " "
              << table.rows << " " << table.least_shows << " " << table.most_shows << "\n";
  }
  return Status();
}

}  // namespace
}  // namespace antiphon

int main(int argc, char** argv) {
  using antiphon::Status;
  const Status status = argc == 2 ? antiphon::PrintRows(argv[1])
                                  : antiphon::InvalidArgumentError("usage: snapshot_rows DIR");
  if (!status.ok()) {
    std::cerr << "snapshot_rows: error: " << status.message() << "\n";
  }
  return static_cast<int>(antiphon::ExitCodeFor(status));
}
