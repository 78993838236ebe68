#include "models/tape/arena.h"

#include <cstdint>
#include <cstring>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace antiphon {
namespace {

TEST(ArenaTest, PiecesAreAlignedAndDoNotOverlap) {
  Arena arena;
  std::vector<std::pair<char*, size_t>> pieces;

  for (size_t size = 1; size < 3'000'000; size = size * 3 + 1) {
    auto* piece = static_cast<char*>(arena.Allocate(size));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(piece) % 64, 0U);
    std::memset(piece, static_cast<int>(pieces.size()), size);
    pieces.emplace_back(piece, size);
  }

  for (size_t i = 0; i < pieces.size(); ++i) {
    EXPECT_EQ(pieces[i].first[0], static_cast<char>(i));
    EXPECT_EQ(pieces[i].first[pieces[i].second - 1], static_cast<char>(i));
  }
}

TEST(ArenaTest, SecondRoundOfTheSameSizesNeedsNoMemory) {
  Arena arena;
  uint64_t blocks = 0;
  for (int round = 0; round < 4; ++round) {
    arena.Reset();
    for (int i = 0; i < 100; ++i)
      arena.Allocate(100'000);
    if (round == 1)
      blocks = arena.block_count();
  }

  EXPECT_GT(blocks, 1U);
  EXPECT_EQ(arena.block_count(), blocks);
}

}  // namespace
}  // namespace antiphon
