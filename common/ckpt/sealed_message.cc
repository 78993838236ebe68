#include "common/ckpt/sealed_message.h"

#include <cstring>

#include "common/base/crc32c.h"
#include "common/base/logging.h"
#include "common/ckpt/little_endian.h"

namespace antiphon {

namespace {

constexpr size_t kMagicBytes = 8;
constexpr size_t kFormatAt = 8;
constexpr size_t kBytesAt = 12;
constexpr size_t kMessageCrcAt = 16;
constexpr size_t kPrologueCrcAt = 20;

}  // namespace

StatusOr<std::string> SealMessage(const SealKind& kind,
                                  const google::protobuf::MessageLite& message) {
  CHECK_EQ(kind.magic.size(), kMagicBytes);
  const uint64_t bytes = message.ByteSizeLong();
  if (bytes > kind.max_bytes) {
    return ResourceExhaustedError("a header of " + std::to_string(bytes) +
                                  " bytes, more than the " + std::to_string(kind.max_bytes) +
                                  " that a file of this kind may have");
  }
  std::string sealed(kSealBytes, '\0');
  if (!message.AppendToString(&sealed)) {
    return InternalError("a header message lacks a required field");
  }
  const std::span<std::byte> all = std::as_writable_bytes(std::span(sealed));
  std::memcpy(all.data(), kind.magic.data(), kMagicBytes);
  StoreLittle<uint32_t>(all, kFormatAt, kind.format);
  StoreLittle<uint32_t>(all, kBytesAt, static_cast<uint32_t>(bytes));
  StoreLittle<uint32_t>(all, kMessageCrcAt, Crc32c(all.subspan(kSealBytes)));
  StoreLittle<uint32_t>(all, kPrologueCrcAt, Crc32c(all.first(kPrologueCrcAt)));
  return sealed;
}

StatusOr<Seal> DecodeSeal(const SealKind& kind, std::span<const std::byte, kSealBytes> prologue) {
  if (std::memcmp(prologue.data(), kind.magic.data(), kMagicBytes) != 0) {
    const std::string_view letters = kind.magic.substr(0, kind.magic.find('\r'));
    return DataLossError("bad magic, expected " + std::string(letters));
  }
  if (LoadLittle<uint32_t>(prologue, kPrologueCrcAt) != Crc32c(prologue.first(kPrologueCrcAt))) {
    return DataLossError("the checksum of the first " + std::to_string(kSealBytes) +
                         " bytes does not match");
  }
  const uint32_t format = LoadLittle<uint32_t>(prologue, kFormatAt);
  if (format != kind.format) {
    return UnimplementedError("format " + std::to_string(format) + ", this version reads format " +
                              std::to_string(kind.format));
  }
  const Seal seal = {.bytes = LoadLittle<uint32_t>(prologue, kBytesAt),
                     .crc32c = LoadLittle<uint32_t>(prologue, kMessageCrcAt)};
  if (seal.bytes > kind.max_bytes) {
    return DataLossError("a header of " + std::to_string(seal.bytes) + " bytes, expected at most " +
                         std::to_string(kind.max_bytes));
  }
  return seal;
}

Status OpenSealed(const Seal& seal, std::span<const std::byte> bytes,
                  google::protobuf::MessageLite& message) {
  if (bytes.size() != seal.bytes) {
    return DataLossError("the header has " + std::to_string(bytes.size()) + " bytes, expected " +
                         std::to_string(seal.bytes));
  }
  if (Crc32c(bytes) != seal.crc32c) {
    return DataLossError("the header's checksum does not match");
  }
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return DataLossError("the header is no protobuf message of its kind");
  }
  return Status();
}

}  // namespace antiphon
