// A version cut into records for a log (proto/push.proto), and a record read again.
//
// A record is a sealed message (common/ckpt/sealed_message.h), so one that is short, long or
// damaged is known as such. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/ckpt/sealed_message.h"
#include "proto/push.pb.h"
#include "proto/serving.pb.h"

namespace antiphon {

inline constexpr SealKind kPushRecordKind = {
    .magic = "APPUSH\r\n", .format = 1, .max_bytes = uint64_t{16} << 20};
// Of a file in one record. With all that surrounds it a record stays below the megabyte that a
// Kafka broker takes unless it is told otherwise.
inline constexpr uint64_t kPushPieceBytes = 900'000;
inline constexpr uint32_t kMaxPushParts = 1 << 24;

struct PushPiece {
  std::string file;
  uint64_t offset = 0;
  uint64_t bytes = 0;
};

// All files of a version, signature.json first, in pieces of at most `piece_bytes`; piece i is part
// i. An empty file has one empty piece.
std::vector<PushPiece> CutVersion(const Signature& signature, uint64_t signature_json_bytes,
                                  uint64_t piece_bytes = kPushPieceBytes);

StatusOr<std::string> EncodePushRecord(const PushRecord& record);

// kDataLoss: no record, not all of one, or one that contradicts itself; kUnimplemented: of another
// format. The message says what is wrong.
StatusOr<PushRecord> DecodePushRecord(std::span<const std::byte> bytes);

}  // namespace antiphon
