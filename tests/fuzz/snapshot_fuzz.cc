// Snapshot files from others: the input is taken as a lane's file and as a manifest, once as it
// stands and once with its checksums put right, so that what lies behind them is reached too.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include <google/protobuf/stubs/logging.h>

#include "common/base/crc32c.h"
#include "common/base/logging.h"
#include "common/ckpt/lane_block.h"
#include "common/ckpt/lane_file_reader.h"
#include "common/ckpt/sealed_message.h"
#include "common/ckpt/snapshot_chain.h"
#include "common/ckpt/snapshot_manifest.h"
#include "tests/support/memory_file_system.h"

namespace antiphon {
namespace {

constexpr char kFolder[] = "/snapshot";

template <typename T>
T NumberAt(std::span<const std::byte> bytes, size_t offset) {
  T number;
  std::memcpy(&number, bytes.data() + offset, sizeof(number));
  return number;
}

void PutCrc(std::span<std::byte> bytes, size_t offset, std::span<const std::byte> covered) {
  const uint32_t crc = Crc32c(covered);
  std::memcpy(bytes.data() + offset, &crc, sizeof(crc));
}

// Returns where the sealed message ends.
size_t RepairSeal(std::span<std::byte> file) {
  if (file.size() < kSealBytes) {
    return file.size();
  }
  const size_t bytes = std::min<size_t>(NumberAt<uint32_t>(file, 12), file.size() - kSealBytes);
  PutCrc(file, 16, file.subspan(kSealBytes, bytes));
  PutCrc(file, 20, file.first(20));
  return kSealBytes + bytes;
}

void RepairBlocks(std::span<std::byte> file) {
  while (file.size() >= kBlockPrologueBytes) {
    const size_t bytes =
        std::min<uint64_t>(NumberAt<uint64_t>(file, 16), file.size() - kBlockPrologueBytes);
    PutCrc(file, 24, file.subspan(kBlockPrologueBytes, bytes));
    PutCrc(file, 28, file.first(28));
    file = file.subspan(kBlockPrologueBytes + bytes);
  }
}

void ReadAsLaneFile(FileSystem& fs, std::span<const std::byte> file) {
  SnapshotFile expected;
  expected.set_name("file");
  expected.set_bytes(file.size());
  expected.set_crc32c(Crc32c(file));
  const auto reader = LaneFileReader::Open(fs, kFolder, expected);
  uint64_t payload_bytes = 0;
  while (reader.ok()) {
    const auto block = (*reader)->Next();
    if (!block.ok() || !block->has_value()) {
      break;
    }
    payload_bytes += (*block)->payload.size();
  }
  CHECK_LE(payload_bytes, file.size());
}

void Try(std::span<const std::byte> file) {
  MemoryFileSystem fs;
  CHECK(fs.MakeDirectories(kFolder).ok());
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  CHECK(WriteFileAtomically(fs, "/snapshot/file", text).ok());
  CHECK(WriteFileAtomically(fs, "/snapshot/MANIFEST", text).ok());
  ReadAsLaneFile(fs, file);
  const StatusOr<SnapshotManifest> manifest = ReadManifest(fs, kFolder);
  if (manifest.ok()) {
    VerifySnapshot(fs, kFolder, *manifest).IgnoreError();
    ReadChain(fs, kFolder).status().IgnoreError();
  }
}

}  // namespace
}  // namespace antiphon

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const google::protobuf::LogSilencer no_lines_of_the_library;
  std::string file(reinterpret_cast<const char*>(data), size);
  antiphon::Try(std::as_bytes(std::span(file)));
  const std::span<std::byte> bytes = std::as_writable_bytes(std::span(file));
  antiphon::RepairBlocks(bytes.subspan(antiphon::RepairSeal(bytes)));
  antiphon::Try(bytes);
  return 0;
}
