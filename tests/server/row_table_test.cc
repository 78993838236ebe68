#include "server/row_table.h"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <unordered_map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/rng.h"
#include "common/cluster/shard_map.h"

namespace antiphon {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

constexpr uint32_t kShards = 16;
constexpr int64_t kNow = 1'790'000'000;

TableSpec Spec(uint32_t dim) {
  TableSpec spec;
  spec.set_name("user");
  spec.set_dim(dim);
  spec.mutable_optimizer()
      ->mutable_rowwise_adagrad_optimizer()
      ->mutable_learning_rate()
      ->mutable_constant_learning_rate()
      ->set_learning_rate(0.1F);
  spec.mutable_initializer()->mutable_normal_initializer()->set_stddev(0.5F);
  return spec;
}

std::unique_ptr<RowTable> MakeTable(uint32_t dim, std::vector<ShardId> shards,
                                    uint32_t shard_count = kShards) {
  auto made = RowTable::Create({.table = 4,
                                .spec = Spec(dim),
                                .seed = 11,
                                .shard_count = shard_count,
                                .owned_shards = std::move(shards)});
  EXPECT_TRUE(made.ok()) << made.status();
  return std::move(made).value();
}

std::unique_ptr<RowTable> MakeWholeTable(uint32_t dim, uint32_t shard_count = kShards) {
  std::vector<ShardId> shards(shard_count);
  std::iota(shards.begin(), shards.end(), 0U);
  return MakeTable(dim, shards, shard_count);
}

std::vector<std::byte*> LookupAll(RowTable& table, const std::vector<Key>& keys, LookupMode mode) {
  std::vector<std::byte*> rows(keys.size());
  table.Lookup(keys, mode, rows);
  return rows;
}

std::vector<float> WeightsOf(RowTable& table, const std::vector<Key>& keys) {
  std::vector<float> weights(keys.size() * table.dim(), -1);
  std::vector<std::byte*> rows(keys.size());
  table.Read(keys, LookupMode::kFindOnly, rows, weights);
  return weights;
}

// Pushes a gradient that is a function of the key.
void Train(RowTable& table, const std::vector<Key>& keys) {
  std::vector<float> gradients;
  for (const Key key : keys) {
    for (uint32_t j = 0; j < table.dim(); ++j) {
      gradients.push_back(static_cast<float>(key % 97) - static_cast<float>(7 * j));
    }
  }
  const std::vector<uint32_t> counts(keys.size(), 3 << 16 | 1);
  table.ApplyGradients(LookupAll(table, keys, LookupMode::kCreate), gradients, counts, kNow);
}

// Rows as a cut gave them away.
class Rows final : public RowSink {
 public:
  explicit Rows(const RowTable& table) : table_(table) {}
  void Take(const std::byte* row) override {
    Row& taken = rows_[HeaderOf(row).key()];
    EXPECT_TRUE(taken.values.empty()) << "key " << HeaderOf(row).key() << " is given away twice";
    const std::span<const float> values = table_.layout().values(row);
    taken = {.header = HeaderOf(row), .values = {values.begin(), values.end()}};
    taken.header.set_flags(0);
  }

  struct Row {
    RowHeader header;
    std::vector<float> values;
    friend bool operator==(const Row&, const Row&) = default;
  };
  const std::map<Key, Row>& all() const { return rows_; }

 private:
  const RowTable& table_;
  std::map<Key, Row> rows_;
};

std::map<Key, Rows::Row> RowsOf(RowTable& table, CutScope scope = CutScope::kAllRows) {
  Rows rows(table);
  table.BeginCut(scope, rows);
  while (table.AdvanceCut(1)) {
  }
  return rows.all();
}

std::vector<Key> RandomKeys(uint64_t seed, size_t n, uint64_t below) {
  Rng rng(seed);
  std::vector<Key> keys(n);
  for (Key& key : keys) {
    key = rng.Below(below);
  }
  return keys;
}

TEST(RowTableTest, FindOnlyCreatesNothingAndReadsZeros) {
  const auto table = MakeWholeTable(4);

  EXPECT_THAT(LookupAll(*table, {1, 2, 3}, LookupMode::kFindOnly), Each(nullptr));
  EXPECT_THAT(WeightsOf(*table, {1, 2, 3}), Each(0.0F));
  EXPECT_EQ(table->row_count(), 0U);
}

TEST(RowTableTest, CreatesEachKeyOnceInABatchThatRepeatsIt) {
  const auto table = MakeWholeTable(4);

  const auto rows = LookupAll(*table, {5, 6, 5, 5, 6}, LookupMode::kCreate);

  EXPECT_EQ(table->row_count(), 2U);
  EXPECT_EQ(rows[0], rows[2]);
  EXPECT_EQ(rows[0], rows[3]);
  EXPECT_EQ(rows[1], rows[4]);
  EXPECT_NE(rows[0], rows[1]);
}

TEST(RowTableTest, TakesTheSmallestAndTheLargestKey) {
  const auto table = MakeWholeTable(2);
  const std::vector<Key> keys = {0, std::numeric_limits<Key>::max(), 1ULL << 63, 0xffffffff};

  const auto rows = LookupAll(*table, keys, LookupMode::kCreate);

  EXPECT_EQ(rows, LookupAll(*table, keys, LookupMode::kFindOnly));
  for (size_t i = 0; i < keys.size(); ++i) {
    EXPECT_EQ(HeaderOf(rows[i]).key(), keys[i]);
  }
}

TEST(RowTableTest, BatchesOfEverySizeFindTheSameRows) {
  const auto table = MakeWholeTable(3);
  const std::vector<Key> keys = RandomKeys(1, 150, 1'000'000);
  const auto rows = LookupAll(*table, keys, LookupMode::kCreate);

  for (size_t size = 0; size <= keys.size(); ++size) {
    const std::vector<Key> some(keys.begin(), keys.begin() + static_cast<ptrdiff_t>(size));
    const auto found = LookupAll(*table, some, LookupMode::kFindOnly);
    ASSERT_TRUE(std::equal(found.begin(), found.end(), rows.begin())) << size;
  }
}

TEST(RowTableTest, FollowsAMapThroughRandomOperations) {
  constexpr uint64_t kSeed = 5;
  SCOPED_TRACE(kSeed);
  Rng rng(kSeed);
  const auto table = MakeWholeTable(5);
  std::unordered_map<Key, std::byte*> expected;

  for (int round = 0; round < 300; ++round) {
    const std::vector<Key> keys = RandomKeys(rng.Next(), rng.Below(200), 8000);
    const auto mode = rng.Chance(0.5) ? LookupMode::kCreate : LookupMode::kFindOnly;
    const auto rows = LookupAll(*table, keys, mode);
    for (size_t i = 0; i < keys.size(); ++i) {
      const auto known = expected.find(keys[i]);
      if (known != expected.end()) {
        ASSERT_EQ(rows[i], known->second);
      } else if (mode == LookupMode::kCreate) {
        ASSERT_NE(rows[i], nullptr);
        expected[keys[i]] = rows[i];
      } else {
        ASSERT_EQ(rows[i], nullptr);
      }
    }
    for (const Key key : RandomKeys(rng.Next(), 50, 8000)) {
      ASSERT_EQ(table->Erase(key, EraseReason::kAge), expected.erase(key) == 1);
    }
    ASSERT_EQ(table->row_count(), expected.size());
  }
}

TEST(RowTableTest, SameWeightsForAnyNumberOfShardsAndLanes) {
  const std::vector<Key> keys = RandomKeys(2, 3000, 2000);
  const auto whole = MakeWholeTable(8, 256);
  Train(*whole, keys);
  Train(*whole, keys);

  for (const uint32_t lanes : {2U, 3U, 7U}) {
    const std::vector<LaneId> lane_of_shard = AssignShards(kShards, lanes);
    for (LaneId lane = 0; lane < lanes; ++lane) {
      const auto part = MakeTable(8, ShardsOfLane(lane_of_shard, lane));
      std::vector<Key> own = keys;
      std::erase_if(own,
                    [&](Key key) { return lane_of_shard[ShardOfKey(4, key, kShards)] != lane; });
      Train(*part, own);
      Train(*part, own);

      EXPECT_EQ(WeightsOf(*part, own), WeightsOf(*whole, own)) << lane << " of " << lanes;
    }
  }
}

TEST(RowTableTest, CountsKeysOfOtherLanesAndLeavesThemNull) {
  const auto table = MakeTable(4, {0, 1});
  const std::vector<Key> keys = RandomKeys(3, 500, 1'000'000);
  std::vector<std::byte*> rows(keys.size());

  const size_t misplaced = table->Lookup(keys, LookupMode::kCreate, rows);

  EXPECT_EQ(misplaced, static_cast<size_t>(std::ranges::count(rows, nullptr)));
  for (size_t i = 0; i < keys.size(); ++i) {
    EXPECT_EQ(rows[i] != nullptr, ShardOfKey(4, keys[i], kShards) < 2);
  }
}

TEST(RowTableTest, AppliesGradientsOfABatchInOrderWithItsCounts) {
  const auto table = MakeWholeTable(2);
  std::vector<std::byte*> rows = LookupAll(*table, {1, 2}, LookupMode::kCreate);
  rows.insert(rows.begin() + 1, nullptr);
  const std::vector<float> before = WeightsOf(*table, {1, 2});

  table->ApplyGradients(rows, std::vector<float>{1, 1, 9, 9, 0, -2},
                        std::vector<uint32_t>{5 << 16 | 2, 7 << 16, 1 << 16}, kNow);

  // Row-wise Adagrad from 0.1: n = 1.1 and 2.1.
  const std::vector<float> after = WeightsOf(*table, {1, 2});
  EXPECT_NEAR(after[0], before[0] - 0.1 / std::sqrt(1.1), 1e-6);
  EXPECT_NEAR(after[1], before[1] - 0.1 / std::sqrt(1.1), 1e-6);
  EXPECT_EQ(after[2], before[2]);
  EXPECT_NEAR(after[3], before[3] + 0.2 / std::sqrt(2.1), 1e-6);
  const RowHeader& first = HeaderOf(rows[0]);
  EXPECT_EQ(first.shows, 5);
  EXPECT_EQ(first.clicks, 2);
  EXPECT_EQ(first.last_seen_unix(), kNow);
  EXPECT_EQ(HeaderOf(rows[2]).shows, 1);
  EXPECT_EQ(table->push_count(), 1U);
}

// Adam and momentum would move it.
TEST(RowTableTest, ARowThatNoLossReachedIsSeenAndKeepsItsBits) {
  for (const bool is_adam : {false, true}) {
    TableSpec spec = Spec(2);
    if (is_adam) {
      spec.mutable_optimizer()->mutable_lazy_adam_optimizer();
    } else {
      spec.mutable_optimizer()->mutable_momentum_optimizer();
    }
    const auto table =
        RowTable::Create(
            {.table = 4, .spec = spec, .seed = 11, .shard_count = 1, .owned_shards = {0}})
            .value();
    const std::vector<std::byte*> rows = LookupAll(*table, {1, 2}, LookupMode::kCreate);
    const std::vector<uint32_t> counts = {1U << 16, 1U << 16};
    table->ApplyGradients(rows, std::vector<float>{1, 2, 3, 4}, counts, kNow);
    const auto floats = [&](size_t row) {
      const float* first = table->layout().weights(rows[row]).data();
      return std::vector<float>(first, first + table->layout().floats());
    };
    const std::vector<float> unreached = floats(0);
    const std::vector<float> reached = floats(1);

    table->ApplyGradients(rows, std::vector<float>{0, 0, 0, 1}, counts, kNow);

    EXPECT_EQ(floats(0), unreached);
    EXPECT_NE(floats(1), reached);
    EXPECT_EQ(HeaderOf(rows[0]).shows, 2);
  }
}

TEST(RowTableTest, ANewRowWasNeverSeen) {
  const auto table = MakeWholeTable(2);

  const auto rows = LookupAll(*table, {1}, LookupMode::kCreate);

  EXPECT_EQ(HeaderOf(rows[0]).last_seen_unix(), 0);
  EXPECT_EQ(HeaderOf(rows[0]).shows, 0);
}

TEST(RowTableTest, RestoresEveryBitFromItsRows) {
  const auto original = MakeWholeTable(6);
  const std::vector<Key> keys = RandomKeys(8, 2000, 1500);
  Train(*original, keys);
  const auto copy = MakeWholeTable(6, 64);

  for (const auto& [key, row] : RowsOf(*original)) {
    ASSERT_TRUE(copy->Insert(row.header, row.values).ok());
  }
  EXPECT_EQ(copy->row_count(), original->row_count());
  copy->set_push_count(original->push_count());
  Train(*original, keys);
  Train(*copy, keys);

  EXPECT_EQ(RowsOf(*copy), RowsOf(*original));
}

TEST(RowTableTest, RefusesRowsThatDoNotFit) {
  const auto table = MakeTable(2, {0});
  RowHeader here;
  RowHeader elsewhere;
  while (ShardOfKey(4, here.key(), kShards) != 0) {
    here.set_key(here.key() + 1);
  }
  while (ShardOfKey(4, elsewhere.key(), kShards) == 0) {
    elsewhere.set_key(elsewhere.key() + 1);
  }
  const std::vector<float> values = {1, 2, 3};

  EXPECT_TRUE(table->Insert(here, values).ok());
  EXPECT_EQ(table->Insert(here, values).code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(table->Insert(elsewhere, values).code(), StatusCode::kWrongShard);
  EXPECT_THAT(table->Insert(here, std::vector<float>{1}).message(), HasSubstr("expected 3"));
}

TEST(RowTableTest, AnErasedRowStartsAgain) {
  const auto table = MakeWholeTable(4);
  LookupAll(*table, {7}, LookupMode::kCreate);
  const std::vector<float> initial = WeightsOf(*table, {7});
  Train(*table, {7});
  EXPECT_NE(WeightsOf(*table, {7}), initial);

  EXPECT_TRUE(table->Erase(7, EraseReason::kAge));
  EXPECT_FALSE(table->Erase(7, EraseReason::kAge));
  LookupAll(*table, {7}, LookupMode::kCreate);

  EXPECT_EQ(WeightsOf(*table, {7}), initial);
}

TEST(RowTableTest, CostsAtMost24BytesBesideTheFloats) {
  const auto table = MakeWholeTable(3);
  const uint64_t floats = table->layout().floats() * sizeof(float);
  Key next = 0;

  // Steps of 2 % see an index in every state between two growths.
  for (size_t rows = 20'000; rows < 60'000; rows += rows / 50) {
    std::vector<Key> keys(rows - next);
    std::iota(keys.begin(), keys.end(), next);
    LookupAll(*table, keys, LookupMode::kCreate);
    next = rows;
    EXPECT_LE(static_cast<double>(table->bytes()) / static_cast<double>(rows),
              static_cast<double>(floats) + 24.0)
        << rows << " rows";
  }
}

TEST(RowTableTest, NamesTheTableWhoseOptimizerIsWrong) {
  RowTableOptions options{
      .table = 0, .spec = Spec(4), .seed = 1, .shard_count = 1, .owned_shards = {0}};
  options.spec.mutable_optimizer()->Clear();

  EXPECT_THAT(RowTable::Create(options).status().message(), HasSubstr("table 'user'"));
}

TEST(RowTableTest, ARowOfSegmentsTrainsOnFromItsSnapshot) {
  TableSpec spec = Spec(4);
  RowSegment& bias = *spec.add_segments();
  bias.set_dim(1);
  bias.mutable_optimizer()->mutable_ftrl_optimizer();
  bias.mutable_initializer()->mutable_constant_initializer();
  RowSegment& vector = *spec.add_segments();
  vector.set_dim(3);
  *vector.mutable_optimizer() = spec.optimizer();
  *vector.mutable_initializer() = spec.initializer();
  spec.clear_optimizer();
  spec.clear_initializer();
  std::vector<ShardId> shards(kShards);
  std::iota(shards.begin(), shards.end(), 0U);
  const RowTableOptions options = {
      .table = 4, .spec = spec, .seed = 11, .shard_count = kShards, .owned_shards = shards};
  auto first = RowTable::Create(options);
  auto second = RowTable::Create(options);
  ASSERT_TRUE(first.ok() && second.ok()) << first.status();
  const std::vector<Key> keys = {1, 2, 3, 77};
  LookupAll(**first, keys, LookupMode::kCreate);
  EXPECT_EQ(WeightsOf(**first, keys)[0], 0);
  EXPECT_NE(WeightsOf(**first, keys)[1], 0);
  EXPECT_EQ((*first)->layout().state_floats, 2U + 1) << "z and n of FTRL, one accumulator";

  Train(**first, keys);
  for (const auto& [key, row] : RowsOf(**first)) {
    EXPECT_TRUE((*second)->Insert(row.header, row.values).ok());
  }
  (*second)->set_push_count((*first)->push_count());
  Train(**first, keys);
  Train(**second, keys);

  EXPECT_EQ(WeightsOf(**first, keys), WeightsOf(**second, keys));
}

// Pushes, new keys and removals in any order between the slices of a cut; then the cut is what the
// table was when it began, and the touched rows of the next are those that changed since.
TEST(RowTableTest, CutsAreTheTableAtTheirMomentWhateverHappensMeanwhile) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rng rng(seed);
    const auto table = MakeWholeTable(3);
    const auto change = [&] {
      const std::vector<Key> keys = RandomKeys(rng.Next(), 1 + rng.Below(60), 3000);
      if (rng.Below(4) == 0) {
        for (const Key key : keys) {
          table->Erase(key, EraseReason::kAge);
        }
      } else {
        Train(*table, keys);
      }
    };
    Train(*table, RandomKeys(seed, 5000, 3000));
    std::map<Key, Rows::Row> before = RowsOf(*table);
    for (int cut = 0; cut < 10; ++cut) {
      for (uint64_t n = rng.Below(20); n > 0; --n) {
        change();
      }
      const bool is_delta = rng.Below(2) == 0;
      const std::map<Key, Rows::Row> now = [&] {
        // A copy of the table tells what it holds: a cut would disturb the touched flags.
        std::map<Key, Rows::Row> rows;
        std::vector<Key> keys(3000);
        std::iota(keys.begin(), keys.end(), 0U);
        for (std::byte* row : LookupAll(*table, keys, LookupMode::kFindOnly)) {
          if (row != nullptr) {
            Rows one(*table);
            one.Take(row);
            rows.insert(one.all().begin(), one.all().end());
          }
        }
        return rows;
      }();
      Rows given(*table);
      table->BeginCut(is_delta ? CutScope::kTouchedRows : CutScope::kAllRows, given);
      while (table->AdvanceCut(1 + rng.Below(2000))) {
        change();
      }

      if (!is_delta) {
        ASSERT_EQ(given.all(), now);
      } else {
        std::map<Key, Rows::Row> patched = before;
        std::erase_if(patched, [&](const auto& row) { return !now.contains(row.first); });
        for (const auto& [key, row] : given.all()) {
          patched[key] = row;
        }
        ASSERT_EQ(patched, now);
      }
      before = now;
    }
  }
}

TEST(RowTableTest, ACutOfTouchedRowsLeavesOutTheOthers) {
  const auto table = MakeWholeTable(3);
  Train(*table, {1, 2, 3, 4});
  RowsOf(*table);

  Train(*table, {2});
  LookupAll(*table, {9}, LookupMode::kCreate);
  LookupAll(*table, {3}, LookupMode::kCreate);
  const auto touched = RowsOf(*table, CutScope::kTouchedRows);

  ASSERT_EQ(touched.size(), 2U);
  EXPECT_TRUE(touched.contains(2) && touched.contains(9));
  EXPECT_TRUE(RowsOf(*table, CutScope::kTouchedRows).empty());
}

TEST(RowTableTest, AnAbandonedCutGivesNothingMoreAndTheNextHasAllRows) {
  const auto table = MakeWholeTable(3);
  const std::vector<Key> keys = RandomKeys(3, 1000, 5000);
  Train(*table, keys);
  const auto rows = RowsOf(*table);
  Rows abandoned(*table);
  table->BeginCut(CutScope::kAllRows, abandoned);
  table->AdvanceCut(1000);
  const size_t given = abandoned.all().size();

  table->AbandonCut();
  while (table->AdvanceCut(1000)) {
  }

  EXPECT_EQ(abandoned.all().size(), given);
  EXPECT_EQ(RowsOf(*table), rows);
}

}  // namespace
}  // namespace antiphon
