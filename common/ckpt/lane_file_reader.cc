#include "common/ckpt/lane_file_reader.h"

#include <array>

#include "common/base/crc32c.h"

namespace antiphon {

namespace {

// Of a LaneFileTotals or a SnapshotFile.
template <typename Message>
std::string Counts(const Message& message) {
  return std::to_string(message.rows()) + " rows, " + std::to_string(message.chunks()) +
         " chunks, " + std::to_string(message.tombstones()) + " tombstones";
}

}  // namespace

StatusOr<std::unique_ptr<LaneFileReader>> LaneFileReader::Open(FileSystem& fs,
                                                               const std::string& directory,
                                                               const SnapshotFile& expected) {
  const std::string path = directory + "/" + expected.name();
  AP_ASSIGN_OR_RETURN(std::unique_ptr<ReadableFile> file, fs.OpenForRead(path));
  std::unique_ptr<LaneFileReader> reader(new LaneFileReader(path, expected, std::move(file)));
  const Status header = reader->ReadHeader();
  if (!header.ok()) {
    return reader->AtBlock(header);
  }
  return reader;
}

Status LaneFileReader::ReadHeader() {
  if (file_->size() != expected_.bytes()) {
    return DataLossError("the file has " + std::to_string(file_->size()) +
                         " bytes, the manifest says " + std::to_string(expected_.bytes()));
  }
  std::array<std::byte, kSealBytes> prologue;
  AP_RETURN_IF_ERROR(ReadExactly(prologue).status());
  AP_ASSIGN_OR_RETURN(const Seal seal, DecodeSeal(kLaneFileKind, prologue));
  if (seal.bytes > file_->size() - offset_) {
    return DataLossError("a header of " + std::to_string(seal.bytes) +
                         " bytes, but the file ends before");
  }
  payload_.resize(seal.bytes);
  AP_RETURN_IF_ERROR(ReadExactly(payload_).status());
  return OpenSealed(seal, payload_, header_);
}

StatusOr<std::optional<LaneBlock>> LaneFileReader::Next() {
  block_offset_ = offset_;
  StatusOr<std::optional<LaneBlock>> block = NextChecked();
  if (!block.ok()) {
    return AtBlock(block.status());
  }
  return block;
}

StatusOr<std::optional<LaneBlock>> LaneFileReader::NextChecked() {
  if (ended_) {
    return std::optional<LaneBlock>();
  }
  std::array<std::byte, kBlockPrologueBytes> bytes;
  AP_RETURN_IF_ERROR(ReadExactly(bytes).status());
  AP_ASSIGN_OR_RETURN(const BlockPrologue prologue, DecodeBlockPrologue(bytes));
  if (prologue.payload_bytes > file_->size() - offset_) {
    return DataLossError("a block of " + std::to_string(prologue.payload_bytes) +
                         " bytes, but the file ends before");
  }
  payload_.resize(prologue.payload_bytes);
  AP_ASSIGN_OR_RETURN(const uint32_t crc32c, ReadExactly(payload_));
  if (crc32c != prologue.payload_crc32c) {
    return DataLossError("the checksum of block " + std::to_string(seen_.blocks()) + " (kind " +
                         std::to_string(static_cast<uint32_t>(prologue.block.kind)) + ", subject " +
                         std::to_string(prologue.block.subject) + ", " +
                         std::to_string(prologue.payload_bytes) + " bytes) is " +
                         std::to_string(crc32c) + ", expected " +
                         std::to_string(prologue.payload_crc32c));
  }
  LaneBlock block = prologue.block;
  block.payload = payload_;
  seen_.set_blocks(seen_.blocks() + 1);
  if (block.kind == BlockKind::kEnd) {
    AP_RETURN_IF_ERROR(CheckEnd(block.payload));
    ended_ = true;
    return std::optional<LaneBlock>();
  }
  AP_RETURN_IF_ERROR(Count(block));
  return std::optional<LaneBlock>(block);
}

Status LaneFileReader::Count(const LaneBlock& block) {
  if (block.kind == BlockKind::kChunk) {
    seen_.set_chunks(seen_.chunks() + 1);
    return Status();
  }
  if (block.kind == BlockKind::kSightings) {
    return block.count == block.payload.size()
               ? Status()
               : DataLossError(std::to_string(block.count) + " counters have " +
                               std::to_string(block.payload.size()) + " bytes");
  }
  const bool is_rows = block.kind == BlockKind::kRows;
  if (block.count == 0 || block.payload.size() % block.count != 0) {
    return DataLossError(std::to_string(block.payload.size()) + " bytes do not hold " +
                         std::to_string(block.count) +
                         (is_rows ? " rows of one size" : " tombstones"));
  }
  if (is_rows) {
    seen_.set_rows(seen_.rows() + block.count);
    return Status();
  }
  if (!header_.has_delta_since()) {
    return DataLossError("a full snapshot has tombstones");
  }
  if (block.payload.size() != block.count * kTombstoneBytes) {
    return DataLossError(std::to_string(block.count) + " tombstones have " +
                         std::to_string(block.payload.size()) + " bytes, expected " +
                         std::to_string(kTombstoneBytes) + " each");
  }
  seen_.set_tombstones(seen_.tombstones() + block.count);
  return Status();
}

Status LaneFileReader::CheckEnd(std::span<const std::byte> payload) const {
  LaneFileTotals totals;
  if (!totals.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
    return DataLossError("the end block is no protobuf message of its kind");
  }
  if (totals.rows() != seen_.rows() || totals.chunks() != seen_.chunks() ||
      totals.tombstones() != seen_.tombstones() || totals.blocks() != seen_.blocks()) {
    return DataLossError("the end block counts " + Counts(totals) + " and " +
                         std::to_string(totals.blocks()) + " blocks; the file has " +
                         Counts(seen_) + " and " + std::to_string(seen_.blocks()) + " blocks");
  }
  if (offset_ != file_->size()) {
    return DataLossError(std::to_string(file_->size() - offset_) + " bytes follow the end block");
  }
  if (seen_.rows() != expected_.rows() || seen_.chunks() != expected_.chunks() ||
      seen_.tombstones() != expected_.tombstones()) {
    return DataLossError("the file has " + Counts(seen_) + ", the manifest says " +
                         Counts(expected_));
  }
  if (crc32c_ != expected_.crc32c()) {
    return DataLossError(
        "the file is whole but not the one that the manifest names: its checksum "
        "differs");
  }
  return Status();
}

StatusOr<uint32_t> LaneFileReader::ReadExactly(std::span<std::byte> out) {
  size_t filled = 0;
  while (filled < out.size()) {
    AP_ASSIGN_OR_RETURN(const size_t got, file_->Read(out.subspan(filled)));
    if (got == 0) {
      return DataLossError("the file ends after " + std::to_string(offset_ + filled) + " bytes");
    }
    filled += got;
  }
  offset_ += filled;
  const uint32_t crc32c = Crc32c(out);
  crc32c_ = JoinCrc32c(crc32c_, crc32c, out.size());
  return crc32c;
}

Status LaneFileReader::AtBlock(const Status& status) const {
  return status.WithContext(path_ + " at byte " + std::to_string(block_offset_));
}

}  // namespace antiphon
