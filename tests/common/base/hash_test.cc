#include "common/base/hash.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace antiphon {
namespace {

// Frozen for ever: snapshots and shard maps of every release depend on these numbers. Mix64 was
// computed a second time in another language; the hashes of "" and "a" are those that XXH3 states.
TEST(HashTest, KeepsItsValues) {
  EXPECT_EQ(Mix64(0), 0u);
  EXPECT_EQ(Mix64(1), 0x5692161d100b05e5u);
  EXPECT_EQ(Mix64(2), 0xdbd238973a2b148au);
  EXPECT_EQ(Mix64(UINT64_MAX), 0xb4d055fcf2cbbd7bu);
  EXPECT_EQ(Mix64(0, 0), 0x48218226ff3cd4bfu);
  EXPECT_EQ(Mix64(1, 2), 0x081a5c1377856b73u);
  EXPECT_EQ(Mix64(2, 1), 0xf2826f98653e9e57u);
  EXPECT_EQ(HashBytes(""), 0x2d06800538d394c2u);
  EXPECT_EQ(HashBytes("a"), 0xe6c632b61e964e1fu);
  EXPECT_EQ(HashBytes("antiphon", 7), 0x1378b6bae3cfbbeau);
  EXPECT_EQ(FeatureHash("color", "red"), 0xcb5f3dee9eaa9539u);
}

TEST(HashTest, KeepsItsValueForLongTexts) {
  std::string text;
  for (int i = 0; i < 1024; ++i) {
    text.push_back(static_cast<char>(i));
  }

  EXPECT_EQ(HashBytes(text), 0xa870f92984398d22u);
}

TEST(HashTest, KeepsFeatureAndValueApart) {
  EXPECT_NE(FeatureHash("a", "bc"), FeatureHash("ab", "c"));
  EXPECT_NE(FeatureHash("a", "b"), FeatureHash("b", "a"));
  EXPECT_NE(FeatureHash("a", ""), FeatureHash("b", ""));
}

TEST(HashTest, SpreadsNeighbouringIdsOverAllParts) {
  constexpr uint64_t kParts = 256;
  constexpr int kIds = 256'000;
  std::vector<int> count(kParts);

  for (uint64_t id = 0; id < kIds; ++id) {
    const uint64_t part = ReduceRange(Mix64(3, id), kParts);
    ASSERT_LT(part, kParts);
    ++count[part];
  }

  // 1000 expected each; 6 deviations of a fair draw are 190.
  for (const int n : count) {
    EXPECT_NEAR(n, kIds / static_cast<int>(kParts), 190);
  }
}

TEST(HashTest, ReducesTheWholeRangeEvenly) {
  EXPECT_EQ(ReduceRange(0, 10), 0u);
  EXPECT_EQ(ReduceRange(UINT64_MAX, 10), 9u);
  EXPECT_EQ(ReduceRange(UINT64_MAX / 2, 10), 4u);
  EXPECT_EQ(ReduceRange(UINT64_MAX, 1), 0u);
}

}  // namespace
}  // namespace antiphon
