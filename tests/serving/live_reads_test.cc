// Rows read while versions are published: no batch has rows of two versions.
#include <algorithm>
#include <atomic>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include "common/base/hash.h"
#include "common/base/thread.h"
#include "serving/layered_table.h"
#include "serving/live_model.h"
#include "serving/live_pointer.h"
#include "tests/serving/emb_file.h"
#include "tests/support/fake_clock.h"
#include "tests/versions/version_maker.h"

namespace antiphon {
namespace {

// Threads that read batch after batch until they are told to stop.
class BatchReaders {
 public:
  // `read` gives the weights of one batch; all of them must be the same number.
  template <typename MakeRead>
  BatchReaders(int count, MakeRead make_read) {
    for (int i = 0; i < count; ++i) {
      threads_.emplace_back("reader", [this, read = make_read()]() mutable {
        while (!stop_.load()) {
          const std::vector<float>& weights = read();
          for (const float weight : weights) {
            torn_ += weight == weights[0] ? 0 : 1;
          }
          ++batches_;
          batches_.notify_all();
        }
      });
    }
  }

  void Stop() {
    stop_ = true;
    threads_.clear();
  }
  // On a busy machine a reader may not have had its turn for long.
  void WaitForBatch() const { batches_.wait(batches_); }
  uint64_t batches() const { return batches_; }
  uint64_t torn() const { return torn_; }

 private:
  std::atomic<bool> stop_ = false;
  std::atomic<uint64_t> batches_ = 0;
  std::atomic<uint64_t> torn_ = 0;
  std::vector<Thread> threads_;
};

TEST(LiveReadsTest, TenThousandPublishesNeverMixInABatch) {
  constexpr int kPublishes = 10000;
  constexpr uint32_t kDim = 4;
  std::vector<Key> keys;
  for (uint64_t i = 0; i < 100; ++i) {
    keys.push_back(i * 3);
  }
  // Every key of the base is in every step, so all rows of a version have its stamp. The base's own
  // are not read: the first step comes before the first reader.
  EmbFile file({.model_id = 1, .version = 1, .dim = kDim}, keys);
  std::vector<float> rows(keys.size() * kDim, 0);
  const RowChanges step = {.keys = keys, .rows = std::as_bytes(std::span(rows)).data()};
  auto table = std::make_shared<const LayeredTable>(
      LayeredTable(std::make_shared<EmbTable>(EmbTable::Open(file.bytes()).value())).After(step));
  LivePointer<LayeredTable> newest(table);

  BatchReaders readers(2, [&] {
    return [
      reader = LivePointer<LayeredTable>::Reader(newest), &keys,
      weights = std::vector<float>(keys.size() * kDim)
    ]() mutable -> const auto& {
      reader.Get()->Lookup(keys, weights.data());
      return weights;
    };
  });
  for (int i = 1; i <= kPublishes; ++i) {
    std::ranges::fill(rows, static_cast<float>(i));
    table = std::make_shared<const LayeredTable>(table->After(step));
    newest.Publish(table);
    if (i % 100 == 0) {
      readers.WaitForBatch();
    }
  }
  readers.Stop();

  EXPECT_EQ(readers.torn(), 0U);
  LivePointer<LayeredTable>::Reader last(newest);
  std::vector<float> weights(keys.size() * kDim);
  EXPECT_EQ(last.Get()->Lookup(keys, weights.data()), keys.size());
  EXPECT_EQ(weights, std::vector<float>(weights.size(), kPublishes));
  newest.LetGo();
  EXPECT_EQ(newest.kept(), 0U);
}

TEST(LiveReadsTest, NorDoVersionsOfADirectory) {
  constexpr uint64_t kVersions = 60;
  VersionMaker maker(::testing::TempDir() + "antiphon_live_reads_" + std::to_string(::getpid()));
  FakeClock clock;
  std::vector<Key> keys;
  for (uint64_t i = 0; i < 50; ++i) {
    keys.push_back(Mix64(i));
  }
  std::ranges::sort(keys);
  VersionLink last = maker.Full({.number = 1, .stamp = 1, .rows = keys});
  maker.SetCurrent(1);
  const auto live = LiveModel::Open({.folder = maker.directory()}, maker.fs(), clock);
  ASSERT_TRUE(live.ok()) << live.status();

  BatchReaders readers(2, [&] {
    return [
      reader = LivePointer<ServedModel>::Reader((*live)->newest()), &keys,
      weights = std::vector<float>()
    ]() mutable -> const auto& {
      const ServedModel& model = *reader.Get();
      weights.resize(keys.size() * VersionMaker::kDim);
      model.table(0).Lookup(keys, weights.data());
      // The dense part is of the same version too.
      weights.push_back(model.block(0)[0]);
      return weights;
    };
  });
  for (uint64_t number = 2; number <= kVersions; ++number) {
    const MadeVersion made = {.number = number, .stamp = static_cast<float>(number), .rows = keys};
    last = number % 20 == 0 ? maker.Full(made) : maker.Step(last, made);
    maker.SetCurrent(number);
    EXPECT_EQ((*live)->Refresh().value(), true);
  }
  readers.Stop();

  EXPECT_EQ(readers.torn(), 0U);
  EXPECT_GT(readers.batches(), 0U);
  EXPECT_EQ((*live)->Report().version, kVersions);
  std::filesystem::remove_all(maker.directory());
}

}  // namespace
}  // namespace antiphon
