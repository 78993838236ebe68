// Writes an .emb file: a table's rows by ascending key, for servers to map into memory. A step has
// those that changed, and behind them the keys whose rows went.
//
// The caller says beforehand which keys will come, so that the file is written from front to end
// and nothing but the keys lies in memory. Owned by one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/base/file_system.h"
#include "common/base/status.h"
#include "common/base/types.h"
#include "proto/serving.pb.h"
#include "serving/emb_header.h"
#include "serving/tombstone.h"

namespace antiphon {

struct EmbOptions {
  uint64_t model_id = 0;
  uint64_t version = 0;
  uint32_t dim = 0;
  RowPrecision precision = RowPrecision::kFp32;
  EmbKind kind = EmbKind::kFull;
};

class EmbWriter {
 public:
  // Creates the file and writes all that comes before rows. `keys` are distinct and ascending;
  // `tombstones`, which only a step has, are so too and name none of them. kResourceExhausted: more
  // than a file holds.
  static StatusOr<std::unique_ptr<EmbWriter>> Create(
      FileSystem& fs, const std::string& path, const EmbOptions& options, std::span<const Key> keys,
      std::span<const ServedTombstone> tombstones = {});

  // The row of the next key; `dim` floats, all of them finite.
  Status Add(std::span<const float> row);

  // When all keys have their row: writes what stands behind rows, syncs and closes. Returns the
  // file's size and checksum; its name is the caller's business.
  StatusOr<ServedFile> Finish();

 private:
  EmbWriter(const EmbHeader& header, std::span<const ServedTombstone> tombstones,
            std::unique_ptr<WritableFile> file)
      : header_(header),
        tombstones_(tombstones.begin(), tombstones.end()),
        file_(std::move(file)) {}

  Status WriteIndex(std::span<const Key> keys);
  Status WriteTombstones();
  // Bytes that a checksum covers.
  Status Append(std::span<const std::byte> bytes);
  Status PadTo(uint64_t offset);
  Status Flush();
  Status Write(std::span<const std::byte> bytes);

  EmbHeader header_;
  std::vector<ServedTombstone> tombstones_;
  std::unique_ptr<WritableFile> file_;
  std::vector<std::byte> block_;  // what has not been written yet, less than a block
  std::vector<uint32_t> checksums_;
  std::vector<std::byte> row_;
  uint64_t rows_ = 0;
  uint64_t written_ = 0;
  uint32_t crc32c_ = 0;
};

}  // namespace antiphon
