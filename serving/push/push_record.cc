#include "serving/push/push_record.h"

#include <algorithm>

#include "serving/signature.h"

namespace antiphon {
namespace {

void CutFile(const std::string& name, uint64_t bytes, uint64_t piece_bytes,
             std::vector<PushPiece>& pieces) {
  uint64_t offset = 0;
  do {
    const uint64_t count = std::min(piece_bytes, bytes - offset);
    pieces.push_back({.file = name, .offset = offset, .bytes = count});
    offset += count;
  } while (offset < bytes);
}

}  // namespace

std::vector<PushPiece> CutVersion(const Signature& signature, uint64_t signature_json_bytes,
                                  uint64_t piece_bytes) {
  std::vector<PushPiece> pieces;
  CutFile(kSignatureFile, signature_json_bytes, piece_bytes, pieces);
  for (const ServedFile& file : signature.files()) {
    CutFile(file.name(), file.bytes(), piece_bytes, pieces);
  }
  return pieces;
}

StatusOr<std::string> EncodePushRecord(const PushRecord& record) {
  return SealMessage(kPushRecordKind, record);
}

StatusOr<PushRecord> DecodePushRecord(std::span<const std::byte> bytes) {
  if (bytes.size() < kSealBytes) {
    return DataLossError("a record of " + std::to_string(bytes.size()) + " bytes, expected " +
                         std::to_string(kSealBytes) + " and more");
  }
  AP_ASSIGN_OR_RETURN(const Seal seal, DecodeSeal(kPushRecordKind, bytes.first<kSealBytes>()));
  const std::span<const std::byte> message = bytes.subspan(kSealBytes);
  if (message.size() != seal.bytes) {
    return DataLossError("a record has " + std::to_string(message.size()) +
                         " bytes behind its prologue, which says " + std::to_string(seal.bytes));
  }
  PushRecord record;
  AP_RETURN_IF_ERROR(OpenSealed(seal, message, record));
  if (record.model_id().empty() || record.digest().empty() || record.file().empty()) {
    return DataLossError("a record does not name its model, its version's digest or its file");
  }
  if (record.part() >= record.parts() || record.parts() > kMaxPushParts) {
    return DataLossError("a record says that it is part " + std::to_string(record.part()) + " of " +
                         std::to_string(record.parts()));
  }
  return record;
}

}  // namespace antiphon
