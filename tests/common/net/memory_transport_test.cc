#include "common/net/memory_transport.h"

#include <map>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/thread.h"
#include "tests/support/fake_clock.h"

namespace antiphon {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Message Text(std::string_view text) {
  Message message;
  message.Add(Buffer::Copy(text));
  return message;
}

std::vector<std::string> ReceiveAll(Endpoint& endpoint) {
  std::vector<std::string> texts;
  while (std::optional<Incoming> incoming = endpoint.Receive(0ns)) {
    texts.emplace_back(incoming->message[0].text());
  }
  return texts;
}

class MemoryTransportTest : public ::testing::Test {
 protected:
  std::unique_ptr<Endpoint> Open(const std::string& name, const std::string& address = "") {
    StatusOr<std::unique_ptr<Endpoint>> endpoint = transport_.Open(
        {.name = name, .listen_address = address, .max_queued_messages = max_queued_messages_});
    CHECK(endpoint.ok()) << endpoint.status();
    return *std::move(endpoint);
  }

  size_t max_queued_messages_ = 1000;
  FakeClock clock_;
  MemoryTransport transport_{clock_};
};

TEST_F(MemoryTransportTest, CarriesAMessageThereAndBackWithoutACopy) {
  const auto server = Open("server", "mem://server");
  const auto client = Open("client");
  const PeerId peer = *client->Connect("mem://server");
  const Message question = Text("question");

  ASSERT_TRUE(client->Send(peer, question).ok());
  const std::optional<Incoming> asked = server->Receive(0ns);
  ASSERT_TRUE(asked.has_value());
  ASSERT_TRUE(server->Send(asked->from, Text("answer")).ok());
  const std::optional<Incoming> answered = client->Receive(0ns);

  ASSERT_TRUE(answered.has_value());
  EXPECT_EQ(asked->message[0].data(), question[0].data());
  EXPECT_EQ(answered->from, peer);
  EXPECT_EQ(answered->message[0].text(), "answer");
}

TEST_F(MemoryTransportTest, KeepsTheOrderOfEachPair) {
  const auto server = Open("server", "mem://server");
  const auto client = Open("client");
  const PeerId peer = *client->Connect("mem://server");

  for (const char* text : {"1", "2", "3"}) {
    ASSERT_TRUE(client->Send(peer, Text(text)).ok());
  }

  EXPECT_THAT(ReceiveAll(*server), ElementsAre("1", "2", "3"));
}

TEST_F(MemoryTransportTest, QueuesForAPeerThatIsNotThereYet) {
  const auto client = Open("client");
  const PeerId peer = *client->Connect("mem://late");
  ASSERT_TRUE(client->Send(peer, Text("early")).ok());

  const auto server = Open("server", "mem://late");

  EXPECT_THAT(ReceiveAll(*server), ElementsAre("early"));
}

TEST_F(MemoryTransportTest, RefusesMoreThanTheQueueOfOnePeerHolds) {
  max_queued_messages_ = 2;
  const auto server = Open("server", "mem://server");
  const auto client = Open("client");
  const auto other = Open("other");
  for (const char* address : {"mem://server", "mem://nobody"}) {
    const PeerId peer = *client->Connect(address);
    EXPECT_TRUE(client->Send(peer, Text("1")).ok());
    EXPECT_TRUE(client->Send(peer, Text("2")).ok());
    EXPECT_EQ(client->Send(peer, Text("3")).code(), StatusCode::kResourceExhausted) << address;
  }

  EXPECT_TRUE(other->Send(*other->Connect("mem://server"), Text("other")).ok());
  EXPECT_THAT(ReceiveAll(*server), ElementsAre("1", "2", "other"));
}

TEST_F(MemoryTransportTest, RefusesBadAndTakenAddresses) {
  const auto server = Open("first", "mem://taken");

  const Status taken =
      transport_.Open({.name = "second", .listen_address = "mem://taken"}).status();

  EXPECT_EQ(taken.code(), StatusCode::kAlreadyExists);
  EXPECT_THAT(taken.message(), HasSubstr("mem://taken"));
  EXPECT_EQ(transport_.Open({.name = "x", .listen_address = "tcp://1.2.3.4:5"}).status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(server->Connect("mem://").status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(server->Send(77, Text("x")).code(), StatusCode::kNotFound);
}

TEST_F(MemoryTransportTest, TellsAListenerThatItsPeerHasGone) {
  const auto server = Open("server", "mem://server");
  auto client = Open("client");
  ASSERT_TRUE(client->Send(*client->Connect("mem://server"), Text("x")).ok());
  const PeerId peer = server->Receive(0ns)->from;

  client.reset();

  EXPECT_EQ(server->Send(peer, Text("y")).code(), StatusCode::kUnavailable);
}

TEST_F(MemoryTransportTest, ReachesTheNextListenerOfAnAddress) {
  auto server = Open("server", "mem://server");
  const auto client = Open("client");
  const PeerId peer = *client->Connect("mem://server");
  ASSERT_TRUE(client->Send(peer, Text("lost with the first")).ok());

  transport_.Kill("server");
  EXPECT_EQ(server->Send(peer, Text("x")).code(), StatusCode::kNotFound);
  EXPECT_THAT(ReceiveAll(*server), IsEmpty());
  ASSERT_TRUE(client->Send(peer, Text("waits")).ok());
  const auto next = Open("server", "mem://server");
  ASSERT_TRUE(client->Send(peer, Text("arrives")).ok());

  EXPECT_THAT(ReceiveAll(*next), ElementsAre("waits", "arrives"));
}

TEST_F(MemoryTransportTest, MutesAnEndpointThatWasKilled) {
  const auto server = Open("server", "mem://server");
  const auto client = Open("client");
  const PeerId peer = *client->Connect("mem://server");

  transport_.Kill("client");

  EXPECT_EQ(client->Send(peer, Text("x")).code(), StatusCode::kUnavailable);
  EXPECT_THAT(ReceiveAll(*server), IsEmpty());
}

TEST_F(MemoryTransportTest, ForgetsAPeer) {
  const auto client = Open("client");
  const PeerId peer = *client->Connect("mem://server");
  ASSERT_TRUE(client->Send(peer, Text("dropped")).ok());

  client->Disconnect(peer);
  const auto server = Open("server", "mem://server");

  EXPECT_EQ(client->Send(peer, Text("x")).code(), StatusCode::kNotFound);
  EXPECT_THAT(ReceiveAll(*server), IsEmpty());
}

TEST_F(MemoryTransportTest, CutsOneWayInSilenceUntilHealed) {
  const auto server = Open("server", "mem://server");
  const auto client = Open("client");
  const PeerId peer = *client->Connect("mem://server");
  ASSERT_TRUE(client->Send(peer, Text("before")).ok());
  const PeerId back = server->Receive(0ns)->from;

  transport_.Cut("client", "server");
  EXPECT_TRUE(client->Send(peer, Text("cut")).ok());
  EXPECT_TRUE(server->Send(back, Text("other way")).ok());
  EXPECT_THAT(ReceiveAll(*server), IsEmpty());
  EXPECT_THAT(ReceiveAll(*client), ElementsAre("other way"));

  transport_.HealAll();
  EXPECT_TRUE(client->Send(peer, Text("after")).ok());
  EXPECT_THAT(ReceiveAll(*server), ElementsAre("after"));
}

TEST_F(MemoryTransportTest, DelaysByTheClock) {
  const auto server = Open("server", "mem://server");
  const auto client = Open("client");
  const PeerId peer = *client->Connect("mem://server");
  transport_.SetFaults({.delay_min = 10ms, .delay_max = 20ms});

  ASSERT_TRUE(client->Send(peer, Text("slow")).ok());

  clock_.Advance(9ms);
  EXPECT_THAT(ReceiveAll(*server), IsEmpty());
  clock_.Advance(12ms);
  EXPECT_THAT(ReceiveAll(*server), ElementsAre("slow"));
}

// Sends 1000 numbered messages through faults; returns them in the order in which they came.
std::vector<int> SendThrough(const MemoryFaults& faults) {
  FakeClock clock;
  MemoryTransport transport(clock);
  auto server =
      *transport.Open({.name = "s", .listen_address = "mem://s", .max_queued_messages = 10'000});
  auto client = *transport.Open({.name = "c", .listen_address = "", .max_queued_messages = 10'000});
  const PeerId peer = *client->Connect("mem://s");
  transport.SetFaults(faults);
  for (int i = 0; i < 1000; ++i) {
    CHECK(client->Send(peer, Text(std::to_string(i))).ok());
  }
  clock.Advance(1h);
  std::vector<int> came;
  for (const std::string& text : ReceiveAll(*server)) {
    came.push_back(std::stoi(text));
  }
  return came;
}

TEST_F(MemoryTransportTest, LosesAndDoublesAboutAsOftenAsItIsTold) {
  const std::vector<int> lossy = SendThrough({.seed = 3, .loss = 0.3});
  const std::vector<int> doubling = SendThrough({.seed = 3, .duplication = 0.3});

  EXPECT_NEAR(static_cast<double>(lossy.size()), 700, 60);
  EXPECT_NEAR(static_cast<double>(doubling.size()), 1300, 60);
  EXPECT_EQ(std::set<int>(doubling.begin(), doubling.end()).size(), 1000u);
}

TEST_F(MemoryTransportTest, ReordersOnlyWhenItIsTold) {
  const std::vector<int> in_order = SendThrough({.seed = 4, .delay_max = 1s});
  const std::vector<int> mixed = SendThrough({.seed = 4, .delay_max = 1s, .reorder = true});

  EXPECT_TRUE(std::is_sorted(in_order.begin(), in_order.end()));
  EXPECT_EQ(in_order.size(), 1000u);
  EXPECT_FALSE(std::is_sorted(mixed.begin(), mixed.end()));
  EXPECT_EQ(mixed.size(), 1000u);
}

TEST_F(MemoryTransportTest, RepeatsARunWithItsSeed) {
  const MemoryFaults faults = {
      .seed = 9, .loss = 0.2, .duplication = 0.2, .delay_max = 1s, .reorder = true};
  MemoryFaults other = faults;
  other.seed = 10;

  EXPECT_EQ(SendThrough(faults), SendThrough(faults));
  EXPECT_NE(SendThrough(faults), SendThrough(other));
}

TEST_F(MemoryTransportTest, WakesAReceiveThatWaits) {
  const auto endpoint = Open("sleeper");
  const Thread waker("waker", [waker = endpoint->waker()] { waker->Wake(); });

  EXPECT_FALSE(endpoint->Receive(1h).has_value());
}

TEST_F(MemoryTransportTest, LetsAWakerOutliveItsEndpoint) {
  std::shared_ptr<Waker> waker = Open("short")->waker();

  waker->Wake();
}

TEST_F(MemoryTransportTest, CarriesMessagesBetweenThreads) {
  constexpr int kMessages = 20'000;
  max_queued_messages_ = kMessages;
  const auto server = Open("server", "mem://server");
  std::vector<Thread> senders;
  for (int s = 0; s < 2; ++s) {
    senders.emplace_back("sender", [client = std::shared_ptr<Endpoint>(Open("client"))] {
      const PeerId peer = *client->Connect("mem://server");
      for (int i = 0; i < kMessages; ++i) {
        CHECK(client->Send(peer, Text(std::to_string(i))).ok());
      }
    });
  }
  std::map<PeerId, int> next;

  for (int i = 0; i < 2 * kMessages; ++i) {
    const std::optional<Incoming> incoming = server->Receive(10s);
    ASSERT_TRUE(incoming.has_value());
    ASSERT_EQ(incoming->message[0].text(), std::to_string(next[incoming->from]++));
  }

  EXPECT_EQ(next.size(), 2u);
}

}  // namespace
}  // namespace antiphon
