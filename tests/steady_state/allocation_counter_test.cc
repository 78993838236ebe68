#include "tests/steady_state/allocation_counter.h"

#include <array>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/wire/buffer.h"

namespace antiphon {
namespace {

TEST(AllocationCounterTest, SeesEveryWayToGetMemory) {
  std::array<uint64_t, 4> counts;
  const AllocationCounter counter;

  const auto number = std::make_unique<int>(1);
  counts[0] = counter.count();
  const std::vector<float> floats(100);
  counts[1] = counter.count();
  const Buffer aligned = Buffer::Allocate(100);
  counts[2] = counter.count();
  void* volatile memory = std::malloc(10);
  counts[3] = counter.count();

  EXPECT_THAT(counts, testing::ElementsAre(1, 2, 3, 4));
  std::free(memory);
}

TEST(AllocationCounterTest, SeesNothingInMemoryUsedAgain) {
  std::string text(100, 'a');
  const AllocationCounter counter;

  text.assign(50, 'b');

  EXPECT_EQ(counter.count(), 0U);
}

}  // namespace
}  // namespace antiphon
