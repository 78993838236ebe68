#include "server/row_store.h"

#include <cstring>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace antiphon {
namespace {

TEST(RowStoreTest, RowsDoNotOverlapAndDoNotMove) {
  RowStore store(84);
  std::vector<std::byte*> rows;

  for (int i = 0; i < 60'000; ++i) {
    rows.push_back(store.row(store.Allocate()));
    std::memset(rows.back(), i % 251, 84);
  }

  for (size_t i = 0; i < rows.size(); ++i) {
    ASSERT_EQ(static_cast<size_t>(rows[i][0]), i % 251);
    ASSERT_EQ(static_cast<size_t>(rows[i][83]), i % 251);
  }
  EXPECT_EQ(store.row_count(), 60'000U);
}

TEST(RowStoreTest, ReusesFreedRowBeforeGrowing) {
  RowStore store(16);
  std::vector<RowId> ids;
  for (int i = 0; i < 100; ++i) {
    ids.push_back(store.Allocate());
  }
  const uint64_t bytes = store.bytes();
  store.Free(ids[7]);
  store.Free(ids[93]);
  EXPECT_EQ(store.row_count(), 98U);

  const std::set<RowId> reused = {store.Allocate(), store.Allocate()};

  EXPECT_EQ(reused, (std::set<RowId>{ids[7], ids[93]}));
  EXPECT_EQ(store.bytes(), bytes);
  EXPECT_EQ(store.row_count(), 100U);
}

TEST(RowStoreTest, HoldsVeryWideRows) {
  RowStore store(1U << 20);

  for (int i = 0; i < 20; ++i) {
    std::byte* const row = store.row(store.Allocate());
    row[0] = std::byte{1};
    row[(1U << 20) - 1] = std::byte{2};
  }

  EXPECT_EQ(store.row_count(), 20U);
}

}  // namespace
}  // namespace antiphon
