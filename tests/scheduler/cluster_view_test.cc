#include "scheduler/cluster_view.h"

#include <deque>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace antiphon {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

class ClusterViewTest : public ::testing::Test {
 protected:
  // A server in this slot with two lanes.
  const Node* Server(uint32_t slot, Incarnation incarnation) {
    Node& node = nodes_.emplace_back();
    node.role = ROLE_SERVER;
    node.index = slot;
    node.incarnation = incarnation;
    for (int lane = 0; lane < 2; ++lane) {
      node.lane_addresses.push_back("tcp://" + std::to_string(incarnation) + "." +
                                    std::to_string(lane));
    }
    return &node;
  }

  std::deque<Node> nodes_;
};

TEST_F(ClusterViewTest, AReplacedServerHasTheShardsOfTheOneBeforeIt) {
  const Node* first = Server(0, 10);
  const ClusterView before = FirstView({first, Server(1, 11)}, 7, 1, 8);

  const ClusterView after = NextView(before, {first, Server(1, 12)}, 2, Placement::kKeep);

  EXPECT_TRUE(SamePlacement(before, after));
  EXPECT_EQ(after.lanes(3).address(), "tcp://12.1");
  EXPECT_EQ(after.epoch(), 2u);
}

TEST_F(ClusterViewTest, AServerThatJoinsHasNothingUntilShardsAreBalanced) {
  const Node* first = Server(0, 10);
  const Node* second = Server(1, 11);
  const ClusterView before = FirstView({first}, 7, 1, 8);

  const ClusterView joined = NextView(before, {first, second}, 1, Placement::kKeep);
  const ClusterView balanced = NextView(before, {first, second}, 2, Placement::kBalance);

  EXPECT_TRUE(SamePlacement(before, joined));
  EXPECT_FALSE(SamePlacement(before, balanced));
  EXPECT_THAT(GainedShards(joined, balanced),
              ElementsAre(Pair(2, ElementsAre(0, 1)), Pair(3, ElementsAre(4, 5))));
}

TEST_F(ClusterViewTest, LanesAreTheSameUnderOtherNumbersWhenAServerLeaves) {
  const Node* second = Server(1, 11);
  const Node* third = Server(2, 12);
  const ClusterView before = FirstView({Server(0, 10), second, third}, 7, 1, 6);

  const ClusterView after = NextView(before, {second, third}, 2, Placement::kBalance);

  EXPECT_EQ(after.lanes_size(), 4);
  EXPECT_THAT(after.lane_of_shard(), ElementsAre(0, 1, 0, 1, 2, 3));
  EXPECT_THAT(GainedShards(before, after),
              ElementsAre(Pair(2, ElementsAre(0)), Pair(3, ElementsAre(1))));
}

}  // namespace
}  // namespace antiphon
