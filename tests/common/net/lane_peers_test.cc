#include "common/net/lane_peers.h"

#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/net/memory_transport.h"
#include "tests/support/fake_clock.h"

namespace antiphon {
namespace {

class LanePeersTest : public ::testing::Test {
 protected:
  LanePeersTest() {
    for (int lane = 0; lane < 3; ++lane) {
      const std::string address = "mem://lane" + std::to_string(lane);
      lanes_.push_back(transport_.Open({.name = address, .listen_address = address}).value());
    }
  }

  // Lanes of these processes: number n listens at mem://lane(n % 10).
  static ClusterView ViewOf(const std::vector<Incarnation>& processes) {
    ClusterView view;
    for (const Incarnation process : processes) {
      LaneAddress& lane = *view.add_lanes();
      lane.set_incarnation(process);
      lane.set_address("mem://lane" + std::to_string(process % 10));
    }
    return view;
  }

  FakeClock clock_;
  MemoryTransport transport_{clock_};
  std::vector<std::unique_ptr<Endpoint>> lanes_;
  std::unique_ptr<Endpoint> own_ = transport_.Open({.name = "own", .listen_address = ""}).value();
  LanePeers peers_{*own_};
};

TEST_F(LanePeersTest, ALaneStaysConnectedUnderAnotherNumber) {
  ASSERT_TRUE(peers_.Connect(ViewOf({10, 11, 12})).ok());
  const std::vector<PeerId> before = peers_.ids();

  ASSERT_TRUE(peers_.Connect(ViewOf({11, 12})).ok());

  EXPECT_EQ(peers_.ids(), (std::vector<PeerId>{before[1], before[2]}));
}

TEST_F(LanePeersTest, AnotherProcessAtTheSameAddressIsAnotherPeer) {
  ASSERT_TRUE(peers_.Connect(ViewOf({10, 11})).ok());
  const std::vector<PeerId> before = peers_.ids();

  ASSERT_TRUE(peers_.Connect(ViewOf({10, 21, 12})).ok());

  EXPECT_EQ(peers_.ids()[0], before[0]);
  EXPECT_NE(peers_.ids()[1], before[1]);
  EXPECT_EQ(std::set<PeerId>(peers_.ids().begin(), peers_.ids().end()).size(), 3u);
}

}  // namespace
}  // namespace antiphon
