#include "common/wire/buffer.h"

#include <cstdint>
#include <latch>
#include <memory>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "common/base/thread.h"

namespace antiphon {
namespace {

bool IsAligned(const Buffer& buffer) {
  return reinterpret_cast<uintptr_t>(buffer.data()) % 64 == 0;
}

TEST(BufferTest, SharesBytesBetweenCopies) {
  const Buffer first = Buffer::Copy("hello");
  const Buffer second = first;

  EXPECT_EQ(second.data(), first.data());
  EXPECT_EQ(second.text(), "hello");
}

TEST(BufferTest, IsEmptyWithoutBytes) {
  const Buffer none;

  EXPECT_EQ(none.size(), 0u);
  EXPECT_TRUE(none.bytes().empty());
  EXPECT_TRUE(none.As<float>().empty());
  EXPECT_EQ(Buffer::Copy("").size(), 0u);
}

TEST(BufferTest, AlignsForVectorInstructions) {
  for (const size_t size : {1, 63, 64, 65, 1000, 1 << 20}) {
    EXPECT_TRUE(IsAligned(Buffer::Allocate(size))) << size;
  }
}

TEST(BufferTest, LeavesOutARestThatFillsNoValue) {
  EXPECT_EQ(Buffer::Allocate(11).As<float>().size(), 2u);
}

TEST(BufferTest, GivesForeignBytesBackOnceWithTheLastHandle) {
  std::vector<std::byte> bytes(10);
  int released = 0;
  std::optional<Buffer> first = Buffer::Wrap(
      bytes.data(), bytes.size(), [](void* hint) { ++*static_cast<int*>(hint); }, &released);
  std::optional<Buffer> second = *first;

  first.reset();
  EXPECT_EQ(released, 0);
  second.reset();
  EXPECT_EQ(released, 1);
}

TEST(BufferPoolTest, HandsOutAUsedBlockAgain) {
  BufferPool pool;
  const std::byte* data = pool.Acquire(1000).data();

  const Buffer again = pool.Acquire(990);

  EXPECT_EQ(again.data(), data);
  EXPECT_EQ(again.size(), 990u);
}

TEST(BufferPoolTest, HoldsTheSizeThatWasAskedFor) {
  BufferPool pool;
  for (size_t size = 0; size < 5000; size += 7) {
    Buffer buffer = pool.Acquire(size);
    ASSERT_EQ(buffer.size(), size);
    ASSERT_TRUE(IsAligned(buffer));
    std::memset(buffer.mutable_data(), 0x5a, size);  // a sanitizer sees a block that is too short
  }
}

TEST(BufferPoolTest, KeepsNoMoreIdleBytesThanAllowed) {
  BufferPool pool(10'000);
  {
    const Buffer too_large = pool.Acquire(20'000);
    std::vector<Buffer> small;
    for (int i = 0; i < 100; ++i) {
      small.push_back(pool.Acquire(1000));
    }
  }

  EXPECT_LE(pool.idle_bytes(), 10'000u);
  EXPECT_GT(pool.idle_bytes(), 8'000u);
}

TEST(BufferPoolTest, MakesRoomForTheSizesThatAreUsedNow) {
  BufferPool pool(10'000);
  {
    std::vector<Buffer> old_size;
    for (int i = 0; i < 9; ++i) {
      old_size.push_back(pool.Acquire(1024));
    }
  }
  const std::byte* data = pool.Acquire(4096).data();

  EXPECT_EQ(pool.Acquire(4096).data(), data);
}

TEST(BufferPoolTest, OutlivesItselfForBlocksThatAreOut) {
  auto pool = std::make_unique<BufferPool>();
  Buffer buffer = pool->Acquire(100);
  std::memset(buffer.mutable_data(), 1, buffer.size());

  pool.reset();

  EXPECT_EQ(buffer.bytes()[99], std::byte{1});
}

TEST(BufferPoolTest, TakesBlocksBackFromOtherThreads) {
  constexpr int kThreads = 4;
  BufferPool pool;
  std::latch start(kThreads);
  {
    std::vector<Thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back("pool user", [&, t] {
        start.arrive_and_wait();
        Buffer shared;
        for (int i = 0; i < 2000; ++i) {
          Buffer buffer = pool.Acquire(static_cast<size_t>(100 * t + i));
          std::memset(buffer.mutable_data(), t, buffer.size());
          shared = buffer;
        }
      });
    }
  }
  EXPECT_GT(pool.idle_bytes(), 0u);
}

}  // namespace
}  // namespace antiphon
