#include "common/data/request_order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace antiphon {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Row r has dense values 10 r and 10 r + 1, label r, and r % 3 keys that begin at 100 r.
Batch BatchOf(std::vector<uint64_t> request) {
  Batch batch;
  batch.rows = static_cast<uint32_t>(request.size());
  batch.dense_width = 2;
  batch.labels.resize(1);
  batch.sparse.resize(1);
  batch.sparse[0].offsets = {0};
  for (uint32_t r = 0; r < batch.rows; ++r) {
    batch.dense.push_back(10.0F * static_cast<float>(r));
    batch.dense.push_back(10.0F * static_cast<float>(r) + 1);
    batch.labels[0].push_back(static_cast<float>(r));
    batch.user.push_back(r);
    for (uint32_t i = 0; i < r % 3; ++i) {
      batch.sparse[0].keys.push_back(100 * r + i);
      batch.sparse[0].weights.push_back(static_cast<float>(r));
    }
    batch.sparse[0].offsets.push_back(static_cast<uint32_t>(batch.sparse[0].keys.size()));
  }
  batch.request = std::move(request);
  return batch;
}

TEST(RequestOrderTest, BringsTheSamplesOfARequestTogether) {
  Batch batch = BatchOf({7, 8, 7, 9, 8});

  RequestOrder().Apply(batch);

  EXPECT_THAT(batch.request, ElementsAre(7, 7, 8, 8, 9));
  EXPECT_THAT(batch.labels[0], ElementsAre(0, 2, 1, 4, 3));
  EXPECT_THAT(batch.user, ElementsAre(0, 2, 1, 4, 3));
  EXPECT_THAT(batch.dense, ElementsAre(0, 1, 20, 21, 10, 11, 40, 41, 30, 31));
  EXPECT_THAT(batch.sparse[0].offsets, ElementsAre(0, 0, 2, 3, 4, 4));
  EXPECT_THAT(batch.sparse[0].keys, ElementsAre(200, 201, 100, 400));
  EXPECT_THAT(batch.sparse[0].weights, ElementsAre(2, 2, 1, 4));
  EXPECT_THAT(batch.scene, IsEmpty());
}

TEST(RequestOrderTest, LeavesABatchInOrderAlone) {
  Batch batch = BatchOf({9, 9, 7, 8, 8});
  const std::vector<float> dense = batch.dense;

  RequestOrder().Apply(batch);

  EXPECT_THAT(batch.request, ElementsAre(9, 9, 7, 8, 8));
  EXPECT_EQ(batch.dense, dense);
}

TEST(RequestOrderTest, DoesNothingWithoutRequests) {
  Batch batch = BatchOf({});
  batch.rows = 2;
  batch.labels[0] = {1, 0};

  RequestOrder().Apply(batch);

  EXPECT_THAT(batch.labels[0], ElementsAre(1, 0));
}

TEST(RequestOrderTest, ServesOneBatchAfterAnother) {
  RequestOrder order;
  Batch first = BatchOf({1, 2, 1});
  Batch second = BatchOf({2, 3, 3, 2});
  order.Apply(first);

  order.Apply(second);

  EXPECT_THAT(second.labels[0], ElementsAre(0, 3, 1, 2));
}

}  // namespace
}  // namespace antiphon
