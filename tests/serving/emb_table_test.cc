#include "serving/emb_table.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/crc32c.h"
#include "common/base/hash.h"
#include "tests/serving/emb_file.h"

namespace antiphon {
namespace {

using testing::HasSubstr;

constexpr EmbOptions kOptions = {.model_id = 0x0123456789abcdef, .version = 7, .dim = 6};

std::vector<Key> HashedKeys(size_t count) {
  std::set<Key> keys;
  for (uint64_t i = 0; keys.size() < count; ++i) {
    keys.insert(Mix64(i + 1));
  }
  return {keys.begin(), keys.end()};
}

void ExpectRow(const EmbTable& table, Key key) {
  const uint32_t row = table.Find(key);
  ASSERT_NE(row, EmbTable::kNoRow) << key;
  EXPECT_EQ(table.key(row), key);
  std::vector<float> weights(table.dim());
  table.CopyRow(row, weights.data());
  for (size_t i = 0; i < weights.size(); ++i) {
    EXPECT_NEAR(weights[i], EmbValue(key, i), 0.1) << key;
  }
}

class EmbTableTest : public ::testing::TestWithParam<std::vector<Key>> {};

TEST_P(EmbTableTest, FindsEveryKeyAndNoOther) {
  const std::vector<Key>& keys = GetParam();
  EmbFile file(kOptions, keys);
  const StatusOr<EmbTable> table = EmbTable::Open(file.bytes());
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_EQ(table->rows(), keys.size());
  for (const Key key : keys) {
    ExpectRow(*table, key);
    for (const Key other : {key - 1, key + 1, Mix64(key)}) {
      EXPECT_EQ(table->Find(other) != EmbTable::kNoRow,
                std::binary_search(keys.begin(), keys.end(), other));
    }
  }
  for (const Key other : {Key{0}, std::numeric_limits<Key>::max()}) {
    EXPECT_EQ(table->Find(other) != EmbTable::kNoRow,
              std::binary_search(keys.begin(), keys.end(), other));
  }
}

INSTANTIATE_TEST_SUITE_P(Keys, EmbTableTest,
                         ::testing::Values(std::vector<Key>{}, std::vector<Key>{0},
                                           std::vector<Key>{~Key{0}}, std::vector<Key>{0, ~Key{0}},
                                           std::vector<Key>{1, 2, 3, 4, 5, 6, 7},
                                           std::vector<Key>{5, 6, 7, 8, Key{1} << 60},
                                           HashedKeys(1000), HashedKeys(20011)));

TEST(EmbLookupTest, GivesRowsInOrderAndZerosForStrangers) {
  const std::vector<Key> keys = HashedKeys(500);
  for (const RowPrecision precision :
       {RowPrecision::kFp32, RowPrecision::kFp16, RowPrecision::kInt8}) {
    EmbOptions options = kOptions;
    options.precision = precision;
    EmbFile file(options, keys);
    const StatusOr<EmbTable> table = EmbTable::Open(file.bytes());
    ASSERT_TRUE(table.ok()) << table.status();
    std::vector<Key> asked;
    for (size_t i = 0; i < 77; ++i) {
      asked.push_back(i % 3 == 0 ? Mix64(i) ^ 1 : keys[i * 5]);
    }
    std::vector<float> weights(asked.size() * options.dim, -1);

    const size_t found = table->Lookup(asked, weights.data());

    EXPECT_EQ(found, 51U);
    std::vector<float> one(options.dim);
    for (size_t i = 0; i < asked.size(); ++i) {
      const uint32_t row = table->Find(asked[i]);
      std::fill(one.begin(), one.end(), 0.0F);
      if (row != EmbTable::kNoRow) {
        table->CopyRow(row, one.data());
      }
      EXPECT_TRUE(std::equal(one.begin(), one.end(),
                             weights.begin() + static_cast<ptrdiff_t>(i * options.dim)));
    }
  }
}

TEST(EmbFileTest, SaysItsSizeAndChecksum) {
  EmbFile file(kOptions, HashedKeys(20000));
  EXPECT_EQ(file.summary().bytes(), file.bytes().size());
  EXPECT_EQ(file.summary().crc32c(), Crc32c(file.bytes()));
}

TEST(EmbFileTest, NoticesEveryFlippedBit) {
  EmbFile file(kOptions, HashedKeys(50));
  const std::span<std::byte> bytes = file.bytes();
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] ^= std::byte{4};
    EXPECT_FALSE(EmbTable::Open(bytes).ok()) << "byte " << i;
    bytes[i] ^= std::byte{4};
  }
  EXPECT_TRUE(EmbTable::Open(bytes).ok());
}

TEST(EmbFileTest, NoticesEveryTornEnd) {
  EmbFile file(kOptions, HashedKeys(50));
  for (size_t size = 0; size < file.bytes().size(); ++size) {
    const Status status = EmbTable::Open(file.bytes().first(size)).status();
    EXPECT_EQ(status.code(), StatusCode::kDataLoss) << size;
  }
}

TEST(EmbFileTest, TellsAnotherFormatFromDamage) {
  EmbFile file(kOptions, HashedKeys(5));
  const std::span<std::byte> bytes = file.bytes();
  bytes[8] = std::byte{2};
  const uint32_t crc = Crc32c(bytes.first(124));
  std::memcpy(&bytes[124], &crc, sizeof crc);
  const Status status = EmbTable::Open(bytes).status();
  EXPECT_EQ(status.code(), StatusCode::kUnimplemented);
  EXPECT_THAT(status.message(), HasSubstr("format 2"));
}

TEST(EmbFileTest, RefusesWeightsThatAreNoNumbers) {
  MemoryFileSystem fs;
  ASSERT_TRUE(fs.MakeDirectories("/t").ok());
  const std::vector<Key> keys = {3};
  StatusOr<std::unique_ptr<EmbWriter>> writer = EmbWriter::Create(fs, "/t/a.emb", kOptions, keys);
  ASSERT_TRUE(writer.ok());
  const std::vector<float> row(kOptions.dim, NAN);
  EXPECT_EQ((*writer)->Add(row).code(), StatusCode::kDataLoss);
}

// A file of this format that every later version must read, and that a writer makes again.
TEST(EmbFileTest, IsByteByByteWhatItWasInVersionOne) {
  EmbOptions options = kOptions;
  options.precision = RowPrecision::kInt8;
  const std::vector<Key> keys = {3, 9, 1000, Key{1} << 40};
  EmbFile file(options, keys);
  std::ifstream golden(std::string(ANTIPHON_SOURCE_DIR) + "/tests/golden/emb_v1.emb",
                       std::ios::binary);
  const std::string expected((std::istreambuf_iterator<char>(golden)), {});
  ASSERT_EQ(expected.size(), file.bytes().size());
  EXPECT_EQ(std::memcmp(expected.data(), file.bytes().data(), expected.size()), 0);
}

EmbOptions StepOptions() {
  EmbOptions options = kOptions;
  options.kind = EmbKind::kStep;
  return options;
}

TEST(EmbStepTest, HasRowsAndTombstonesOfEveryReason) {
  const std::vector<Key> all = HashedKeys(3000);
  std::vector<Key> keys;
  std::vector<ServedTombstone> tombstones;
  for (size_t i = 0; i < all.size(); ++i) {
    if (i % 3 == 0) {
      tombstones.push_back({all[i], static_cast<TombstoneReason>(1 + i % kTombstoneReasons)});
    } else {
      keys.push_back(all[i]);
    }
  }
  for (const RowPrecision precision :
       {RowPrecision::kFp32, RowPrecision::kFp16, RowPrecision::kInt8}) {
    EmbOptions options = StepOptions();
    options.precision = precision;
    EmbFile file(options, keys, tombstones);

    const StatusOr<EmbTable> table = EmbTable::Open(file.bytes());

    ASSERT_TRUE(table.ok()) << table.status();
    EXPECT_EQ(table->header().kind, EmbKind::kStep);
    EXPECT_EQ(table->rows(), keys.size());
    ASSERT_EQ(table->tombstones().size(), tombstones.size());
    for (size_t i = 0; i < tombstones.size(); ++i) {
      EXPECT_EQ(table->tombstones()[i], tombstones[i].key);
      EXPECT_EQ(table->reason(i), tombstones[i].reason);
      EXPECT_EQ(table->Find(tombstones[i].key), EmbTable::kNoRow);
    }
    for (const Key key : keys) {
      ExpectRow(*table, key);
    }
  }
}

TEST(EmbStepTest, MayHaveRowsAloneTombstonesAloneOrNothing) {
  const std::vector<ServedTombstone> one = {{7, TombstoneReason::kFiltered}};
  for (const std::vector<Key>& keys : {std::vector<Key>{}, std::vector<Key>{1, 9}}) {
    for (const bool has_tombstone : {false, true}) {
      const std::span<const ServedTombstone> tombstones(one.data(), has_tombstone ? 1 : 0);
      EmbFile file(StepOptions(), keys, tombstones);
      const StatusOr<EmbTable> table = EmbTable::Open(file.bytes());
      ASSERT_TRUE(table.ok()) << table.status();
      EXPECT_EQ(table->rows(), keys.size());
      EXPECT_EQ(table->tombstones().size(), tombstones.size());
    }
  }
}

TEST(EmbStepTest, NoticesEveryFlippedBitAndEveryTornEnd) {
  const std::vector<Key> keys = HashedKeys(20);
  const std::vector<ServedTombstone> tombstones = {{1, TombstoneReason::kAge},
                                                   {2, TombstoneReason::kMemory}};
  EmbFile file(StepOptions(), keys, tombstones);
  const std::span<std::byte> bytes = file.bytes();
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] ^= std::byte{4};
    EXPECT_FALSE(EmbTable::Open(bytes).ok()) << "byte " << i;
    bytes[i] ^= std::byte{4};
    EXPECT_FALSE(EmbTable::Open(bytes.first(i)).ok()) << "the first " << i << " bytes";
  }
  EXPECT_TRUE(EmbTable::Open(bytes).ok());
}

void ExpectRefusedStep(const std::vector<Key>& keys, const std::vector<ServedTombstone>& tombstones,
                       const std::string& what) {
  EmbFile file(StepOptions(), keys, tombstones);
  const Status status = EmbTable::Open(file.bytes()).status();
  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr(what));
}

TEST(EmbStepTest, RefusesTombstonesThatContradictTheFile) {
  using enum TombstoneReason;
  ExpectRefusedStep({1, 5}, {{5, kAge}}, "key 5 stands beside a row");
  ExpectRefusedStep({1}, {{6, kAge}, {5, kAge}}, "key 5 is out of place");
  ExpectRefusedStep({1}, {{6, kAge}, {6, kAge}}, "key 6 is out of place");
  ExpectRefusedStep({1}, {{6, static_cast<TombstoneReason>(5)}}, "reason 5");
  ExpectRefusedStep({1}, {{6, static_cast<TombstoneReason>(0)}}, "reason 0");
}

TEST(EmbStepTest, RefusesTombstonesInAFileOfAllRows) {
  const std::vector<ServedTombstone> tombstones = {{6, TombstoneReason::kScore}};
  EmbFile file(StepOptions(), std::vector<Key>{1}, tombstones);
  const std::span<std::byte> bytes = file.bytes();
  bytes[12] = std::byte{1};
  const uint32_t crc = Crc32c(bytes.first(124));
  std::memcpy(&bytes[124], &crc, sizeof crc);
  const Status status = EmbTable::Open(bytes).status();
  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr("1 tombstones, which only a step has"));
}

TEST(EmbStepTest, IsByteByByteWhatItWasInVersionOne) {
  EmbOptions options = StepOptions();
  options.precision = RowPrecision::kFp16;
  const std::vector<Key> keys = {3, 1000};
  const std::vector<ServedTombstone> tombstones = {{1, TombstoneReason::kAge},
                                                   {4, TombstoneReason::kScore},
                                                   {1001, TombstoneReason::kMemory},
                                                   {Key{1} << 40, TombstoneReason::kFiltered}};
  EmbFile file(options, keys, tombstones);
  std::ifstream golden(std::string(ANTIPHON_SOURCE_DIR) + "/tests/golden/emb_step_v1.emb",
                       std::ios::binary);
  const std::string expected((std::istreambuf_iterator<char>(golden)), {});
  ASSERT_EQ(expected.size(), file.bytes().size());
  EXPECT_EQ(std::memcmp(expected.data(), file.bytes().data(), expected.size()), 0);
}

}  // namespace
}  // namespace antiphon
