#include "common/net/rpc.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/net/memory_transport.h"
#include "tests/support/fake_clock.h"

namespace antiphon {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Notes how each call ended.
class Outcomes final : public ReplyHandler {
 public:
  void OnReply(CallId call, const Status& status, const Message& reply) override {
    ended_[call].push_back(status);
    text_ = reply.bulk().empty() ? "" : std::string(reply.bulk()[0].text());
    if (then_) {
      then_();
    }
  }

  std::map<CallId, std::vector<Status>> ended_;
  std::string text_;
  std::function<void()> then_;
};

// Answers an echo with the bulk frame it got; keeps what is to be answered later.
class EchoServer final : public RequestHandler {
 public:
  void OnRequest(Request& request) override {
    ++requests_;
    last_ = request.header;
    if (request.method() != METHOD_ECHO) {
      node_->ReplyError(RpcNode::AddressOf(request), UnimplementedError("only echoes"));
    } else if (parks_) {
      parked_.push_back(RpcNode::AddressOf(request));
    } else {
      node_->Reply(RpcNode::AddressOf(request), EchoReply(), request.message.bulk());
    }
  }

  RpcNode* node_ = nullptr;
  FrameHeader last_;
  bool parks_ = false;
  std::vector<ReplyAddress> parked_;
  int requests_ = 0;
};

class RpcTest : public ::testing::Test {
 protected:
  RpcTest()
      : server_endpoint_(*transport_.Open({.name = "server", .listen_address = "mem://server"})),
        client_endpoint_(*transport_.Open({.name = "client", .listen_address = ""})),
        server_(*server_endpoint_, clock_, {.incarnation = 11}, &echo_),
        client_(*client_endpoint_, clock_, {.incarnation = 22}, nullptr),
        peer_(*client_endpoint_->Connect("mem://server")) {
    echo_.node_ = &server_;
  }

  CallId Echo(std::string_view text, const CallOptions& options = {}) {
    const std::vector<Buffer> bulk = {Buffer::Copy(text)};
    return client_.Call(peer_, METHOD_ECHO, EchoRequest(), bulk, options, outcomes_);
  }

  // Lets both sides work for `time`, in steps of a millisecond.
  void Run(Duration time) {
    for (Duration passed{}; passed <= time; passed += 1ms) {
      server_.Poll(0ns);
      client_.Poll(0ns);
      clock_.Advance(1ms);
    }
  }

  FakeClock clock_;
  MemoryTransport transport_{clock_};
  std::unique_ptr<Endpoint> server_endpoint_;
  std::unique_ptr<Endpoint> client_endpoint_;
  EchoServer echo_;
  RpcNode server_;
  RpcNode client_;
  PeerId peer_;
  Outcomes outcomes_;
};

TEST_F(RpcTest, BringsTheReplyToItsCall) {
  client_.SetCluster(5, 6);
  const CallId call = Echo("hello");

  server_.Poll(0ns);
  client_.Poll(0ns);

  EXPECT_THAT(outcomes_.ended_[call], ElementsAre(Status()));
  EXPECT_EQ(outcomes_.text_, "hello");
  EXPECT_EQ(echo_.last_.sender, 22u);
  EXPECT_EQ(echo_.last_.cluster_id, 5u);
  EXPECT_EQ(echo_.last_.epoch, 6u);
  EXPECT_EQ(client_.calls_in_flight(), 0u);
}

TEST_F(RpcTest, BringsAnErrorToItsCall) {
  const CallId call = client_.Call(peer_, METHOD_PULL, PullRequest(), {}, {}, outcomes_);

  Run(5ms);

  EXPECT_THAT(outcomes_.ended_[call], ElementsAre(UnimplementedError("only echoes")));
}

TEST_F(RpcTest, AnswersForANodeThatHandlesNothing) {
  Echo("x");
  server_.Poll(0ns);
  const PeerId back = 1;  // the first link of this transport
  Outcomes of_server;
  const CallId call = server_.Call(back, METHOD_ECHO, EchoRequest(), {}, {}, of_server);

  Run(5ms);

  ASSERT_EQ(of_server.ended_[call].size(), 1u);
  EXPECT_EQ(of_server.ended_[call][0].code(), StatusCode::kUnimplemented);
}

TEST_F(RpcTest, SendsAgainUntilAReplyComes) {
  transport_.Cut("client", "server");
  const CallId call = Echo("x", {.deadline = 1s, .retry_after = 100ms});
  Run(150ms);
  EXPECT_EQ(outcomes_.ended_.count(call), 0u);

  transport_.HealAll();
  Run(100ms);

  EXPECT_THAT(outcomes_.ended_[call], ElementsAre(Status()));
  EXPECT_EQ(echo_.requests_, 1);
}

TEST_F(RpcTest, EndsACallAtItsDeadline) {
  transport_.Cut("server", "client");
  const CallId call = Echo("x", {.deadline = 1s, .retry_after = 400ms});

  Run(990ms);
  EXPECT_EQ(outcomes_.ended_.count(call), 0u);
  Run(20ms);

  ASSERT_EQ(outcomes_.ended_[call].size(), 1u);
  EXPECT_EQ(outcomes_.ended_[call][0].code(), StatusCode::kDeadlineExceeded);
  EXPECT_THAT(outcomes_.ended_[call][0].message(), HasSubstr("METHOD_ECHO"));
  EXPECT_EQ(echo_.requests_, 3) << "at 0, 400 and 800 ms";
}

TEST_F(RpcTest, SaysWhyTheLastAttemptCouldNotBeSent) {
  transport_.Kill("client");
  const CallId call = Echo("x", {.deadline = 100ms});

  Run(150ms);

  ASSERT_EQ(outcomes_.ended_[call].size(), 1u);
  EXPECT_EQ(outcomes_.ended_[call][0].code(), StatusCode::kUnavailable);
}

TEST_F(RpcTest, EndsACallToAnUnknownPeerAtTheNextPoll) {
  const CallId call = client_.Call(999, METHOD_ECHO, EchoRequest(), {}, {}, outcomes_);
  EXPECT_TRUE(outcomes_.ended_.empty()) << "never inside Call";

  client_.Poll(0ns);

  ASSERT_EQ(outcomes_.ended_[call].size(), 1u);
  EXPECT_EQ(outcomes_.ended_[call][0].code(), StatusCode::kNotFound);
}

TEST_F(RpcTest, RefusesMoreCallsThanAllowedAndARequestThatIsTooLarge) {
  RpcNode node(*client_endpoint_, clock_, {.incarnation = 1, .max_calls_in_flight = 1}, nullptr);
  PushRequest large;
  large.set_chunk_bits(std::string(kMaxMetaBytes, 'x'));
  const CallId too_large = node.Call(peer_, METHOD_PUSH, large, {}, {}, outcomes_);
  const CallId too_many = node.Call(peer_, METHOD_ECHO, EchoRequest(), {}, {}, outcomes_);

  node.Poll(0ns);

  ASSERT_EQ(outcomes_.ended_[too_large].size(), 1u);
  EXPECT_EQ(outcomes_.ended_[too_large][0].code(), StatusCode::kResourceExhausted);
  ASSERT_EQ(outcomes_.ended_[too_many].size(), 1u);
  EXPECT_THAT(outcomes_.ended_[too_many][0].message(), HasSubstr("in flight"));
  EXPECT_EQ(node.calls_in_flight(), 0u);
}

TEST_F(RpcTest, HearsNothingOfACancelledCall) {
  const CallId call = Echo("x", {.deadline = 50ms});
  client_.Cancel(call);

  Run(100ms);

  EXPECT_TRUE(outcomes_.ended_.empty());
  EXPECT_EQ(client_.bad_frames_total(), 0u) << "a late reply is nothing bad";
}

TEST_F(RpcTest, AnswersLater) {
  echo_.parks_ = true;
  const CallId call = Echo("x");
  Run(10ms);
  ASSERT_EQ(echo_.parked_.size(), 1u);

  server_.Reply(echo_.parked_[0], EchoReply(), {});
  Run(10ms);

  EXPECT_THAT(outcomes_.ended_[call], ElementsAre(Status()));
}

TEST_F(RpcTest, LetsAHandlerMakeTheNextCall) {
  outcomes_.then_ = [this] {
    if (outcomes_.ended_.size() < 100) {
      Echo("next");
    }
  };
  Echo("first");

  Run(200ms);

  EXPECT_EQ(outcomes_.ended_.size(), 100u);
}

TEST_F(RpcTest, TurnsAReplyThatIsTooLargeIntoAnError) {
  echo_.parks_ = true;
  const CallId call = Echo("x");
  Run(5ms);
  PullReply large;
  large.set_chunk_bits(std::string(kMaxMetaBytes, 'x'));

  server_.Reply(echo_.parked_[0], large, {});
  Run(5ms);

  ASSERT_EQ(outcomes_.ended_[call].size(), 1u);
  EXPECT_EQ(outcomes_.ended_[call][0].code(), StatusCode::kResourceExhausted);
}

TEST_F(RpcTest, CountsGarbageAndRepliesOfAnotherCluster) {
  Message garbage;
  garbage.Add(Buffer::Copy("GET / HTTP/1.1"));
  ASSERT_TRUE(client_endpoint_->Send(peer_, garbage).ok());
  client_.SetCluster(1, 0);
  server_.SetCluster(2, 0);
  const CallId call = Echo("x", {.deadline = 50ms});

  Run(60ms);

  EXPECT_EQ(server_.bad_frames_total(), 1u);
  EXPECT_EQ(client_.bad_frames_total(), 1u);
  EXPECT_EQ(outcomes_.ended_[call][0].code(), StatusCode::kDeadlineExceeded);
}

TEST_F(RpcTest, TellsWhenItIsDue) {
  EXPECT_EQ(client_.NextDue(), Time::max());

  Echo("x", {.deadline = 1s, .retry_after = 100ms});

  EXPECT_EQ(client_.NextDue(), clock_.Now() + 100ms);
}

// Whatever the network does, each call ends once, and ends well when there is time enough.
TEST_F(RpcTest, EndsEachCallExactlyOnceOnABadNetwork) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    transport_.SetFaults(
        {.seed = seed, .loss = 0.3, .duplication = 0.3, .delay_max = 50ms, .reorder = true});
    outcomes_.ended_.clear();
    std::vector<CallId> patient;
    std::vector<CallId> hasty;
    for (int i = 0; i < 30; ++i) {
      patient.push_back(Echo("p", {.deadline = 20s, .retry_after = 100ms}));
      hasty.push_back(Echo("h", {.deadline = 60ms, .retry_after = 20ms}));
      Run(2ms);
    }
    Run(21s);

    ASSERT_EQ(outcomes_.ended_.size(), 60u);
    for (const CallId call : patient) {
      EXPECT_THAT(outcomes_.ended_[call], ElementsAre(Status()));
    }
    for (const CallId call : hasty) {
      EXPECT_EQ(outcomes_.ended_[call].size(), 1u);
    }
    EXPECT_EQ(client_.calls_in_flight(), 0u);
  }
}

}  // namespace
}  // namespace antiphon
