#include "join/rocks_store.h"

#include <filesystem>
#include <string>
#include <unistd.h>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace antiphon {
namespace {

using ::testing::ElementsAre;

class RocksStoreTest : public ::testing::Test {
 protected:
  RocksStoreTest()
      : folder_(::testing::TempDir() + "rocks_store_" + std::to_string(getpid()) + "_" +
                ::testing::UnitTest::GetInstance()->current_test_info()->name()) {
    std::filesystem::remove_all(folder_);
  }
  ~RocksStoreTest() override { std::filesystem::remove_all(folder_); }

  std::string folder_;
};

TEST_F(RocksStoreTest, KeepsWhatWasCommittedInTheOrderOfKeys) {
  {
    StatusOr<std::unique_ptr<RocksStore>> store = RocksStore::Open(folder_);
    ASSERT_TRUE(store.ok()) << store.status();
    ASSERT_TRUE((*store)->Commit({{DueKey(5, "b"), ""}, {DueKey(-3, "c"), ""}, {"p", "1"}}).ok());
    ASSERT_TRUE(
        (*store)->Commit({{DueKey(5, "a"), ""}, {"p", "2"}, {"i", "x"}, {"i", std::nullopt}}).ok());
  }
  StatusOr<std::unique_ptr<RocksStore>> store = RocksStore::Open(folder_);
  ASSERT_TRUE(store.ok()) << store.status();

  std::vector<std::string> due;
  ASSERT_TRUE((*store)
                  ->Scan(std::string(kDuePrefix), std::string(kDuePrefix),
                         [&due](std::string_view key, std::string_view) {
                           const DueRequest parsed = *ParseDueKey(key);
                           due.push_back(std::to_string(parsed.due_ms) + parsed.request);
                           return true;
                         })
                  .ok());

  EXPECT_THAT(due, ElementsAre("-3c", "5a", "5b"));
  EXPECT_EQ(*(*store)->Get("p"), "2");
  EXPECT_EQ(*(*store)->Get("i"), std::nullopt) << "the last change of a commit counts";
}

TEST_F(RocksStoreTest, IsOpenInOneProcessAtATime) {
  StatusOr<std::unique_ptr<RocksStore>> store = RocksStore::Open(folder_);
  ASSERT_TRUE(store.ok()) << store.status();

  const StatusOr<std::unique_ptr<RocksStore>> second = RocksStore::Open(folder_);

  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), StatusCode::kUnavailable);
}

}  // namespace
}  // namespace antiphon
