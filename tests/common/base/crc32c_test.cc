#include "common/base/crc32c.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "common/base/rng.h"

namespace antiphon {
namespace {

// The definition, one bit at a time.
uint32_t BitwiseCrc32c(uint32_t crc, std::span<const std::byte> bytes) {
  crc = ~crc;
  for (const std::byte byte : bytes) {
    crc ^= static_cast<uint32_t>(byte);
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78 : 0);
    }
  }
  return ~crc;
}

std::vector<std::byte> RandomBytes(size_t size) {
  Rng rng(5);
  std::vector<std::byte> bytes(size);
  for (std::byte& byte : bytes) {
    byte = static_cast<std::byte>(rng.Next());
  }
  return bytes;
}

// RFC 3720, appendix B.4, and the customary check value.
TEST(Crc32cTest, AgreesWithThePublishedVectors) {
  std::vector<std::byte> bytes(32);
  EXPECT_EQ(Crc32c(bytes), 0x8a9136aau);
  std::fill(bytes.begin(), bytes.end(), std::byte{0xff});
  EXPECT_EQ(Crc32c(bytes), 0x62a8ab43u);
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::byte>(i);
  }
  EXPECT_EQ(Crc32c(bytes), 0x46dd794eu);
  std::reverse(bytes.begin(), bytes.end());
  EXPECT_EQ(Crc32c(bytes), 0x113fdb5cu);
  EXPECT_EQ(Crc32c(std::as_bytes(std::span(std::string_view("123456789")))), 0xe3069283u);
  EXPECT_EQ(Crc32c({}), 0u);
}

TEST(Crc32cTest, AgreesWithTheDefinitionForEverySizeAndStart) {
  const std::vector<std::byte> bytes = RandomBytes(20'000);
  for (size_t start = 0; start < 9; ++start) {
    for (const size_t size : {0,    1,    7,    8,    9,    63,   64,   65,   1023,   1025,
                              3071, 3072, 3073, 3080, 6143, 6144, 6145, 9216, 10'001, 19'991}) {
      const std::span<const std::byte> part = std::span(bytes).subspan(start, size);
      ASSERT_EQ(Crc32c(part), BitwiseCrc32c(0, part)) << "start " << start << " size " << size;
    }
  }
}

TEST(Crc32cTest, GoesOnWhereItStopped) {
  const std::vector<std::byte> bytes = RandomBytes(8000);
  const uint32_t whole = Crc32c(bytes);
  for (size_t cut = 0; cut <= bytes.size(); cut += 97) {
    const std::span<const std::byte> all(bytes);
    EXPECT_EQ(ExtendCrc32c(Crc32c(all.first(cut)), all.subspan(cut)), whole) << cut;
  }
}

TEST(Crc32cTest, JoinsTheSumsOfTwoRanges) {
  const std::vector<std::byte> bytes = RandomBytes(8000);
  const uint32_t whole = Crc32c(bytes);
  for (size_t cut = 0; cut <= bytes.size(); cut += 97) {
    const std::span<const std::byte> all(bytes);
    const std::span<const std::byte> rest = all.subspan(cut);
    EXPECT_EQ(JoinCrc32c(Crc32c(all.first(cut)), Crc32c(rest), rest.size()), whole) << cut;
  }
  EXPECT_EQ(JoinCrc32c(whole, Crc32c({}), 0), whole);
}

}  // namespace
}  // namespace antiphon
