#include "worker/prepared_batch.h"

#include <map>
#include <set>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/cluster/shard_map.h"

namespace antiphon {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

ParameterSchema TwoTables() {
  ParameterSchema schema;
  schema.set_shard_count(16);
  schema.add_tables()->set_name("users");
  schema.add_tables()->set_name("items");
  return schema;
}

ClusterView Lanes(uint32_t count) {
  ClusterView view;
  for (uint32_t lane = 0; lane < count; ++lane) {
    view.add_lanes();
  }
  for (const LaneId lane : AssignShards(16, count)) {
    view.add_lane_of_shard(lane);
  }
  return view;
}

SparseColumn OneValueEach(std::vector<Key> keys) {
  SparseColumn column;
  for (uint32_t i = 0; i <= keys.size(); ++i) {
    column.offsets.push_back(i);
  }
  column.keys = std::move(keys);
  return column;
}

Batch BatchOf(std::vector<SparseColumn> columns, std::vector<float> labels) {
  Batch batch;
  batch.rows = static_cast<uint32_t>(labels.size());
  batch.sparse = std::move(columns);
  batch.labels = {std::move(labels)};
  return batch;
}

TEST(BatchPreparerTest, FindsEachKeyOnceInOrderOfFirstAppearance) {
  PreparedBatch prepared;
  prepared.batch = BatchOf({OneValueEach({7, 9, 7, 3})}, {0, 0, 0, 0});

  BatchPreparer(TwoTables(), Lanes(1), {0}).Prepare(prepared);

  EXPECT_THAT(prepared.tables[0].keys, ElementsAre(7, 9, 3));
  EXPECT_THAT(prepared.row_of_value[0], ElementsAre(0, 1, 0, 2));
  EXPECT_THAT(prepared.tables[0].lane_begin, ElementsAre(0, 3));
  EXPECT_THAT(prepared.tables[1].keys, IsEmpty());
}

TEST(BatchPreparerTest, CountsShowsAndClicksOfTheFirstTask) {
  PreparedBatch prepared;
  prepared.batch = BatchOf({OneValueEach({7, 9, 7, 7})}, {1, 0, 1, kUnknownLabel});

  BatchPreparer(TwoTables(), Lanes(1), {0}).Prepare(prepared);

  EXPECT_THAT(prepared.tables[0].counts, ElementsAre(3U << 16 | 2U, 1U << 16));
}

TEST(BatchPreparerTest, SaturatesCountsOfAKeyThatIsEverywhere) {
  PreparedBatch prepared;
  prepared.batch =
      BatchOf({OneValueEach(std::vector<Key>(70000, 5))}, std::vector<float>(70000, 1.0F));

  BatchPreparer(TwoTables(), Lanes(1), {0}).Prepare(prepared);

  EXPECT_THAT(prepared.tables[0].counts, ElementsAre(0xffffffffU));
}

TEST(BatchPreparerTest, JoinsTheColumnsThatShareATable) {
  PreparedBatch prepared;
  prepared.batch =
      BatchOf({OneValueEach({1, 2}), OneValueEach({2, 1}), OneValueEach({2, 3})}, {0, 0});

  BatchPreparer(TwoTables(), Lanes(1), {0, 1, 0}).Prepare(prepared);

  EXPECT_THAT(prepared.tables[0].keys, ElementsAre(1, 2, 3));
  EXPECT_THAT(prepared.tables[1].keys, ElementsAre(2, 1));
  EXPECT_THAT(prepared.row_of_value[0], ElementsAre(0, 1));
  EXPECT_THAT(prepared.row_of_value[2], ElementsAre(1, 2));
}

TEST(BatchPreparerTest, PutsTheKeysOfALaneSideBySide) {
  std::vector<Key> keys;
  for (Key key = 0; key < 500; ++key) {
    keys.push_back(key % 200);
  }
  PreparedBatch prepared;
  prepared.batch = BatchOf({OneValueEach(keys)}, std::vector<float>(keys.size(), 0.0F));
  const ClusterView view = Lanes(3);

  BatchPreparer(TwoTables(), view, {0}).Prepare(prepared);

  const DistinctKeys& distinct = prepared.tables[0];
  ASSERT_EQ(distinct.keys.size(), 200);
  ASSERT_EQ(distinct.lane_begin.size(), 4);
  for (LaneId lane = 0; lane < 3; ++lane) {
    EXPECT_LT(distinct.lane_begin[lane], distinct.lane_begin[lane + 1]);
    for (uint32_t i = distinct.lane_begin[lane]; i < distinct.lane_begin[lane + 1]; ++i) {
      EXPECT_EQ(view.lane_of_shard(static_cast<int>(ShardOfKey(0, distinct.keys[i], 16))), lane);
    }
  }
  for (size_t i = 0; i < keys.size(); ++i) {
    EXPECT_EQ(distinct.keys[prepared.row_of_value[0][i]], keys[i]);
  }
}

TEST(BatchPreparerTest, KnowsNothingOfTheBatchBefore) {
  BatchPreparer preparer(TwoTables(), Lanes(2), {0});
  PreparedBatch prepared;
  prepared.batch = BatchOf({OneValueEach({1, 2, 3, 4, 5, 6, 7, 8})}, std::vector<float>(8, 1.0F));
  preparer.Prepare(prepared);

  prepared.batch = BatchOf({OneValueEach({8})}, {0});
  preparer.Prepare(prepared);

  EXPECT_THAT(prepared.tables[0].keys, ElementsAre(8));
  EXPECT_THAT(prepared.tables[0].counts, ElementsAre(1U << 16));
  EXPECT_THAT(prepared.row_of_value[0], ElementsAre(0));
}

TEST(BatchPreparerTest, PreparesABatchWithoutRows) {
  PreparedBatch prepared;
  prepared.batch = BatchOf({OneValueEach({})}, {});

  BatchPreparer(TwoTables(), Lanes(2), {0}).Prepare(prepared);

  EXPECT_THAT(prepared.tables[0].keys, IsEmpty());
  EXPECT_THAT(prepared.tables[0].lane_begin, ElementsAre(0, 0, 0));
}

}  // namespace
}  // namespace antiphon
