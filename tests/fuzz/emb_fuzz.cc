// Embedding files from others: the input as it stands, and with its checksums put right, so that
// what lies behind them is reached too. What opens is asked for rows.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "common/base/crc32c.h"
#include "serving/emb_table.h"

namespace antiphon {
namespace {

void PutCrc(std::span<std::byte> file, size_t offset, std::span<const std::byte> covered) {
  const uint32_t crc = Crc32c(covered);
  std::memcpy(file.data() + offset, &crc, sizeof crc);
}

void Repair(std::span<std::byte> file) {
  if (file.size() < kEmbHeaderBytes) {
    return;
  }
  PutCrc(file, 124, file.first(124));
  const StatusOr<EmbHeader> header = DecodeEmbHeader(file);
  if (!header.ok() || header->file_bytes() != file.size()) {
    return;
  }
  size_t crc_at = header->checksums_at();
  for (size_t at = kEmbHeaderBytes; at < header->checksums_at(); at += kEmbBlockBytes) {
    const size_t bytes = std::min<size_t>(kEmbBlockBytes, header->checksums_at() - at);
    PutCrc(file, crc_at, file.subspan(at, bytes));
    crc_at += sizeof(uint32_t);
  }
}

void Read(std::span<const std::byte> file) {
  const StatusOr<EmbTable> table = EmbTable::Open(file);
  if (!table.ok()) {
    return;
  }
  std::vector<Key> keys = {0, 1, ~Key{0}};
  for (uint32_t row = 0; row < std::min<uint64_t>(table->rows(), 100); ++row) {
    CHECK_EQ(table->Find(table->key(row)), row);
    keys.push_back(table->key(row));
  }
  for (size_t i = 0; i < std::min<size_t>(table->tombstones().size(), 100); ++i) {
    CHECK_EQ(table->Find(table->tombstones()[i]), EmbTable::kNoRow);
    CHECK(TombstoneReasonName(table->reason(i)) != "unknown");
  }
  std::vector<float> weights(keys.size() * table->dim());
  CHECK_GE(table->Lookup(keys, weights.data()), keys.size() - 3);
}

}  // namespace
}  // namespace antiphon

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<uint64_t> words(size / sizeof(uint64_t) + 1);  // aligned as a mapping is
  if (size > 0) {
    std::memcpy(words.data(), data, size);
  }
  const std::span<std::byte> file = std::as_writable_bytes(std::span(words)).first(size);
  antiphon::Read(file);
  antiphon::Repair(file);
  antiphon::Read(file);
  return 0;
}
