#include "serving/emb_writer.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "common/base/crc32c.h"

namespace antiphon {
namespace {

template <typename T>
std::span<const std::byte> BytesOf(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}

// About as many buckets as keys, if these are spread evenly from the first to the last.
void PlanBuckets(std::span<const Key> keys, EmbHeader& header) {
  const uint64_t range = keys.empty() ? 0 : keys.back() - keys.front();
  header.first_key = keys.empty() ? 0 : keys.front();
  header.bucket_shift = 0;
  while (header.bucket_shift < 63 &&
         range >> header.bucket_shift >= std::max<uint64_t>(keys.size(), 1)) {
    ++header.bucket_shift;
  }
  header.buckets = (range >> header.bucket_shift) + 1;
}

}  // namespace

StatusOr<std::unique_ptr<EmbWriter>> EmbWriter::Create(
    FileSystem& fs, const std::string& path, const EmbOptions& options, std::span<const Key> keys,
    std::span<const ServedTombstone> tombstones) {
  CHECK(tombstones.empty() || options.kind == EmbKind::kStep);
  if (std::max(keys.size(), tombstones.size()) >= std::numeric_limits<uint32_t>::max()) {
    return ResourceExhaustedError(path + ": a table of " + std::to_string(keys.size()) +
                                  " rows and " + std::to_string(tombstones.size()) +
                                  " tombstones, an .emb file holds fewer than 2^32 - 1 of each");
  }
  EmbHeader header = {.kind = options.kind,
                      .precision = options.precision,
                      .model_id = options.model_id,
                      .version = options.version,
                      .dim = options.dim,
                      .rows = keys.size(),
                      .tombstones = tombstones.size()};
  PlanBuckets(keys, header);
  AP_ASSIGN_OR_RETURN(std::unique_ptr<WritableFile> file, fs.Create(path));
  std::unique_ptr<EmbWriter> writer(new EmbWriter(header, tombstones, std::move(file)));
  writer->row_.resize(header.row_bytes());
  AP_RETURN_IF_ERROR(writer->Write(EncodeEmbHeader(header)));
  AP_RETURN_IF_ERROR(writer->WriteIndex(keys));
  return writer;
}

Status EmbWriter::WriteIndex(std::span<const Key> keys) {
  uint32_t at = 0;
  for (uint64_t bucket = 0; bucket <= header_.buckets; ++bucket) {
    while (at < keys.size() && (keys[at] - header_.first_key) >> header_.bucket_shift < bucket) {
      ++at;
    }
    AP_RETURN_IF_ERROR(Append(BytesOf(at)));
  }
  AP_RETURN_IF_ERROR(PadTo(header_.keys_at()));
  AP_RETURN_IF_ERROR(Append(std::as_bytes(keys)));
  return PadTo(header_.rows_at());
}

Status EmbWriter::Add(std::span<const float> row) {
  CHECK(row.size() == header_.dim && rows_ < header_.rows);
  if (!std::ranges::all_of(row, [](float value) { return std::isfinite(value); })) {
    return DataLossError("row number " + std::to_string(rows_) +
                         " has infinite or undefined weights");
  }
  ++rows_;
  EncodeRow(header_.precision, row, row_.data());
  return Append(row_);
}

Status EmbWriter::WriteTombstones() {
  AP_RETURN_IF_ERROR(PadTo(header_.tombstones_at()));
  for (const ServedTombstone& tombstone : tombstones_) {
    AP_RETURN_IF_ERROR(Append(BytesOf(tombstone.key)));
  }
  AP_RETURN_IF_ERROR(PadTo(header_.reasons_at()));
  for (const ServedTombstone& tombstone : tombstones_) {
    AP_RETURN_IF_ERROR(Append(BytesOf(tombstone.reason)));
  }
  return Status();
}

StatusOr<ServedFile> EmbWriter::Finish() {
  CHECK_EQ(rows_, header_.rows);
  AP_RETURN_IF_ERROR(WriteTombstones());
  AP_RETURN_IF_ERROR(PadTo(header_.checksums_at()));
  AP_RETURN_IF_ERROR(Flush());
  AP_RETURN_IF_ERROR(Write(std::as_bytes(std::span(checksums_))));
  CHECK_EQ(written_, header_.file_bytes());
  AP_RETURN_IF_ERROR(file_->Sync());
  AP_RETURN_IF_ERROR(file_->Close());
  ServedFile summary;
  summary.set_bytes(written_);
  summary.set_crc32c(crc32c_);
  return summary;
}

Status EmbWriter::Append(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const size_t room = kEmbBlockBytes - block_.size();
    const std::span<const std::byte> head = bytes.first(std::min(room, bytes.size()));
    block_.insert(block_.end(), head.begin(), head.end());
    bytes = bytes.subspan(head.size());
    if (block_.size() == kEmbBlockBytes) {
      AP_RETURN_IF_ERROR(Flush());
    }
  }
  return Status();
}

Status EmbWriter::PadTo(uint64_t offset) {
  const std::vector<std::byte> zeros(offset - written_ - block_.size());
  return Append(zeros);
}

Status EmbWriter::Flush() {
  if (block_.empty()) {
    return Status();
  }
  checksums_.push_back(Crc32c(block_));
  Status status = Write(block_);
  block_.clear();
  return status;
}

Status EmbWriter::Write(std::span<const std::byte> bytes) {
  written_ += bytes.size();
  crc32c_ = ExtendCrc32c(crc32c_, bytes);
  return file_->Append(bytes);
}

}  // namespace antiphon
