#include "common/ckpt/lane_file_writer.h"

#include <array>

#include "common/base/crc32c.h"
#include "common/base/logging.h"

namespace antiphon {

StatusOr<std::unique_ptr<LaneFileWriter>> LaneFileWriter::Create(FileSystem& fs,
                                                                 const std::string& directory,
                                                                 const std::string& name,
                                                                 const LaneFileHeader& header) {
  std::unique_ptr<LaneFileWriter> writer(new LaneFileWriter(fs, directory, name));
  AP_ASSIGN_OR_RETURN(const std::string sealed, SealMessage(kLaneFileKind, header));
  AP_ASSIGN_OR_RETURN(writer->file_, fs.CreateLarge(writer->temporary_path()));
  const std::span<const std::byte> bytes = std::as_bytes(std::span(sealed));
  AP_RETURN_IF_ERROR(writer->Write(bytes, Crc32c(bytes)));
  return writer;
}

LaneFileWriter::LaneFileWriter(FileSystem& fs, const std::string& directory,
                               const std::string& name)
    : fs_(fs), directory_(directory), name_(name) {
  summary_.set_name(name);
}

LaneFileWriter::~LaneFileWriter() {
  if (file_ == nullptr) {
    return;
  }
  // The snapshot has failed already; what is left behind is only a nuisance.
  file_->Close().IgnoreError();
  fs_.Remove(temporary_path()).IgnoreError();
}

Status LaneFileWriter::Append(const LaneBlock& block) {
  CHECK(block.kind != BlockKind::kEnd);
  CHECK_LE(block.payload.size(), kMaxBlockBytes);
  if (block.kind == BlockKind::kRows) {
    summary_.set_rows(summary_.rows() + block.count);
  } else if (block.kind == BlockKind::kTombstones) {
    summary_.set_tombstones(summary_.tombstones() + block.count);
  } else if (block.kind == BlockKind::kChunk) {
    summary_.set_chunks(summary_.chunks() + 1);
  }
  return WriteBlock(block);
}

StatusOr<SnapshotFile> LaneFileWriter::Finish() {
  LaneFileTotals totals;
  totals.set_rows(summary_.rows());
  totals.set_chunks(summary_.chunks());
  if (summary_.has_tombstones()) {
    totals.set_tombstones(summary_.tombstones());
  }
  totals.set_blocks(blocks_ + 1);
  const std::string payload = totals.SerializeAsString();
  AP_RETURN_IF_ERROR(
      WriteBlock({.kind = BlockKind::kEnd, .payload = std::as_bytes(std::span(payload))}));
  AP_RETURN_IF_ERROR(file_->Sync());
  AP_RETURN_IF_ERROR(file_->Close());
  AP_RETURN_IF_ERROR(fs_.Rename(temporary_path(), directory_ + "/" + name_));
  file_ = nullptr;
  AP_RETURN_IF_ERROR(fs_.SyncDirectory(directory_));
  summary_.set_crc32c(crc32c_);
  return summary_;
}

Status LaneFileWriter::WriteBlock(const LaneBlock& block) {
  const BlockPrologue prologue = {.block = block,
                                  .payload_bytes = block.payload.size(),
                                  .payload_crc32c = Crc32c(block.payload)};
  std::array<std::byte, kBlockPrologueBytes> bytes;
  EncodeBlockPrologue(prologue, bytes);
  ++blocks_;
  AP_RETURN_IF_ERROR(Write(bytes, Crc32c(bytes)));
  return Write(block.payload, prologue.payload_crc32c);
}

// The file's checksum is joined from those of its parts: to sum all bytes a second time would take
// as long as the first.
Status LaneFileWriter::Write(std::span<const std::byte> bytes, uint32_t crc32c) {
  AP_RETURN_IF_ERROR(file_->Append(bytes));
  crc32c_ = JoinCrc32c(crc32c_, crc32c, bytes.size());
  summary_.set_bytes(summary_.bytes() + bytes.size());
  return Status();
}

}  // namespace antiphon
