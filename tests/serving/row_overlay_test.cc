#include "serving/row_overlay.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "common/base/hash.h"
#include "common/base/rng.h"

namespace antiphon {
namespace {

constexpr size_t kRowBytes = 12;  // no multiple of 8: rows lie where their number says all the same

// The row of a key: three numbers, of which the last is a stamp.
std::vector<uint32_t> RowOf(Key key, uint32_t stamp) {
  return {static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32), stamp};
}

struct Step {
  std::vector<Key> keys;
  std::vector<Key> removed;
  std::vector<uint32_t> rows;

  void Put(Key key, uint32_t stamp) {
    keys.push_back(key);
    const std::vector<uint32_t> row = RowOf(key, stamp);
    rows.insert(rows.end(), row.begin(), row.end());
  }
  RowChanges changes() const {
    return {
        .keys = keys, .rows = reinterpret_cast<const std::byte*>(rows.data()), .removed = removed};
  }
};

const std::byte* Place(const RowOverlay& overlay, Key key) {
  const std::byte* place = nullptr;
  overlay.Find({&key, 1}, &place);
  return place;
}

void ExpectRow(const RowOverlay& overlay, Key key, uint32_t stamp) {
  const std::byte* place = Place(overlay, key);
  ASSERT_NE(place, nullptr);
  ASSERT_NE(place, RowOverlay::gone());
  EXPECT_EQ(std::memcmp(place, RowOf(key, stamp).data(), kRowBytes), 0) << key;
}

TEST(RowOverlayTest, NothingHasChangedInANewOne) {
  const RowOverlay overlay(kRowBytes);
  EXPECT_EQ(Place(overlay, 0), nullptr);
  EXPECT_EQ(Place(overlay, 7), nullptr);
  EXPECT_EQ(overlay.rows() + overlay.removed() + overlay.bytes(), 0U);
}

TEST(RowOverlayTest, TheLaterChangeOfAKeyWins) {
  Step first;
  first.Put(7, 1);
  first.Put(8, 1);
  first.removed = {9};
  Step second;
  second.Put(9, 2);
  second.removed = {7};

  const auto before = RowOverlay(kRowBytes).Apply(first.changes());
  const auto after = before->Apply(second.changes());

  EXPECT_EQ(Place(*after, 7), RowOverlay::gone());
  ExpectRow(*after, 8, 1);
  ExpectRow(*after, 9, 2);
  EXPECT_EQ(after->rows(), 2U);
  EXPECT_EQ(after->removed(), 1U);
  // Whoever still reads the one before sees nothing of it.
  ExpectRow(*before, 7, 1);
  EXPECT_EQ(Place(*before, 9), RowOverlay::gone());
}

TEST(RowOverlayTest, AStepCopiesOnlyTheBucketsThatItTouches) {
  Step many;
  for (Key key = 0; key < 10000; ++key) {
    many.Put(key, 1);
  }
  Step one;
  one.Put(5, 2);
  const auto before = RowOverlay(kRowBytes).Apply(many.changes());
  const auto after = before->Apply(one.changes());

  uint64_t moved = 0;
  for (Key key = 0; key < 10000; ++key) {
    moved += Place(*before, key) != Place(*after, key) ? 1 : 0;
  }
  EXPECT_GE(moved, 1U);
  EXPECT_LE(moved, 40U);
  EXPECT_EQ(before->bytes(), after->bytes());
}

TEST(RowOverlayTest, ManyRandomStepsGiveWhatAMapGives) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Rng rng(seed);
    std::map<Key, std::optional<uint32_t>> expected;  // stamp, or removed
    std::shared_ptr<const RowOverlay> overlay = std::make_shared<RowOverlay>(kRowBytes);
    for (uint32_t stamp = 1; stamp <= 60; ++stamp) {
      Step step;
      std::map<Key, bool> touched;
      const uint64_t count = rng.Below(stamp % 7 == 0 ? 400 : 20);
      for (uint64_t i = 0; i < count; ++i) {
        touched[Mix64(rng.Below(3000))] = rng.Below(4) > 0;
      }
      for (const auto& [key, is_row] : touched) {
        expected[key] = is_row ? std::optional(stamp) : std::nullopt;
        is_row ? step.Put(key, stamp) : step.removed.push_back(key);
      }
      overlay = overlay->Apply(step.changes());
    }
    uint64_t rows = 0;
    for (uint64_t i = 0; i < 3000; ++i) {
      const Key key = Mix64(i);
      const auto found = expected.find(key);
      if (found == expected.end()) {
        EXPECT_EQ(Place(*overlay, key), nullptr) << "seed " << seed;
      } else if (!found->second.has_value()) {
        EXPECT_EQ(Place(*overlay, key), RowOverlay::gone()) << "seed " << seed;
      } else {
        ++rows;
        ExpectRow(*overlay, key, *found->second);
      }
    }
    EXPECT_EQ(overlay->rows(), rows) << "seed " << seed;
    EXPECT_EQ(overlay->rows() + overlay->removed(), expected.size()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace antiphon
