#include "server/row_index.h"

#include <unordered_map>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/rng.h"
#include "common/cluster/shard_map.h"

namespace antiphon {
namespace {

// An index over real rows that hold nothing but their header.
class RowIndexTest : public ::testing::Test {
 protected:
  RowIndexTest() { index_.Open(); }

  RowId Add(Key key) {
    const RowId id = store_.Allocate();
    HeaderOf(store_.row(id)) = RowHeader();
    HeaderOf(store_.row(id)).set_key(key);
    index_.Insert(PlacementHash(3, key), id, rows_);
    return id;
  }
  const std::byte* Find(Key key) { return index_.Find(key, PlacementHash(3, key), rows_); }
  bool Erase(Key key) {
    RowId id;
    if (!index_.Erase(key, PlacementHash(3, key), rows_, &id)) {
      return false;
    }
    EXPECT_EQ(HeaderOf(store_.row(id)).key(), key);
    store_.Free(id);
    return true;
  }

  RowStore store_{sizeof(RowHeader)};
  IndexedRows rows_{.store = &store_, .table = 3, .shard_count = 1};
  RowIndex index_;
};

TEST_F(RowIndexTest, FindsWhatWasInserted) {
  const RowId zero = Add(0);
  const RowId last = Add(~Key{0});

  EXPECT_EQ(Find(0), store_.row(zero));
  EXPECT_EQ(Find(~Key{0}), store_.row(last));
  EXPECT_EQ(Find(1), nullptr);
}

TEST_F(RowIndexTest, FollowsAMapThroughRandomOperations) {
  constexpr uint64_t kSeed = 20;
  SCOPED_TRACE(kSeed);
  Rng rng(kSeed);
  std::unordered_map<Key, const std::byte*> expected;

  for (int i = 0; i < 60'000; ++i) {
    // Alternately mostly growing and mostly shrinking, in a space that makes keys meet again.
    const Key key = rng.Below(4000);
    const bool insert = rng.Chance(i / 10'000 % 2 == 0 ? 0.7 : 0.3);
    if (insert && !expected.contains(key)) {
      expected[key] = store_.row(Add(key));
    } else if (!insert) {
      ASSERT_EQ(Erase(key), expected.erase(key) == 1) << key;
    }
    const Key probe = rng.Below(4000);
    const auto found = expected.find(probe);
    ASSERT_EQ(Find(probe), found == expected.end() ? nullptr : found->second) << probe;
  }

  ASSERT_EQ(index_.size(), expected.size());
  for (Key key = 0; key < 4000; ++key) {
    ASSERT_EQ(Find(key) != nullptr, expected.contains(key)) << key;
  }
}

TEST_F(RowIndexTest, ErasesAcrossTheEndOfTheGroups) {
  // With four groups of 12 slots, 42 keys fill some and wrap around the end for many of these sets.
  constexpr Key kKeys = 42;
  for (Key base = 0; base < 300 * kKeys; base += kKeys) {
    for (Key key = base; key < base + kKeys; ++key) {
      Add(key);
    }
    for (Key key = base; key < base + kKeys; key += 2) {
      ASSERT_TRUE(Erase(key));
    }
    for (Key key = base; key < base + kKeys; ++key) {
      ASSERT_EQ(Find(key) != nullptr, (key - base) % 2 == 1) << key;
    }
    for (Key key = base + 1; key < base + kKeys; key += 2) {
      ASSERT_TRUE(Erase(key));
    }
  }
  EXPECT_EQ(index_.size(), 0U);
  EXPECT_EQ(index_.capacity(), 48U);
}

TEST_F(RowIndexTest, VisitsEveryRowOnce) {
  std::vector<RowId> expected;
  for (Key key = 0; key < 1000; ++key) {
    expected.push_back(Add(key));
  }

  std::vector<RowId> visited;
  index_.ForEach([&](RowId row) { visited.push_back(row); });

  EXPECT_THAT(visited, ::testing::UnorderedElementsAreArray(expected));
}

TEST_F(RowIndexTest, HasTheRowOfAKeyAmongFewCandidates) {
  for (Key key = 0; key < 10'000; ++key) {
    Add(key);
  }

  size_t candidates = 0;
  for (Key key = 0; key < 10'000; ++key) {
    const uint64_t hash = PlacementHash(3, key);
    bool found = false;
    index_.ForEachCandidate(index_.HomeOf(hash, 1), hash, [&](RowId row) {
      ++candidates;
      found = found || HeaderOf(store_.row(row)).key() == key;
    });
    // One that a false tag in a group before hides is found by Find.
    candidates += found ? 0 : 1;
    ASSERT_NE(Find(key), nullptr);
  }
  EXPECT_LT(candidates, 11'000U);
}

TEST_F(RowIndexTest, StaysBetweenItsLoads) {
  for (Key key = 0; key < 100'000; ++key) {
    Add(key);
    if (key >= 1000) {
      ASSERT_LE(index_.size(), index_.capacity() * 7 / 8);
      ASSERT_LE(index_.bytes(), index_.size() * 8) << key;
    }
  }
}

}  // namespace
}  // namespace antiphon
