#include "tools/ctl/commands.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/hash.h"
#include "common/base/thread.h"
#include "common/cluster/shard_map.h"
#include "common/net/memory_transport.h"

namespace antiphon {
namespace {

using ::testing::HasSubstr;

constexpr uint32_t kShards = 16;

ClusterStatus SmallStatus() {
  ClusterStatus status;
  status.set_state(JOB_FINISHED);
  status.set_job_name("small");
  status.add_table_names("host");
  status.add_table_names("user");
  ClusterView& view = *status.mutable_view();
  view.set_shard_count(kShards);
  view.add_lanes()->set_address("mem://lane0");
  view.add_lanes()->set_address("mem://lane1");
  for (const LaneId lane : AssignShards(kShards, 2)) {
    view.add_lane_of_shard(lane);
  }
  return status;
}

// Plays the scheduler or a lane on a thread of its own, since ps_ctl waits for its answers.
class FakePeer final : public RequestHandler {
 public:
  FakePeer(Transport& transport, Clock& clock, const std::string& address)
      : endpoint_(transport.Open({.name = address, .listen_address = address}).value()),
        waker_(endpoint_->waker()),
        rpc_(*endpoint_, clock, {.incarnation = HashBytes(address)}, this),
        address_(address),
        thread_("fake", [this] {
          while (!stop_.load()) {
            rpc_.Poll(std::chrono::milliseconds(50));
          }
        }) {}
  ~FakePeer() override {
    stop_ = true;
    waker_->Wake();
    thread_.Join();
  }

  // From now on it answers so many greetings, and nothing that it is silent about anyway.
  void FallSilentAfter(int greetings) { greetings_left_ = greetings; }

  void OnRequest(Request& request) override {
    const ReplyAddress to = RpcNode::AddressOf(request);
    switch (request.method()) {
      case METHOD_REGISTER: {
        if (greetings_left_ == 0) {
          return;
        }
        --greetings_left_;
        RegisterReply reply;
        reply.set_cluster_id(5);
        rpc_.Reply(to, reply, {});
        return;
      }
      case METHOD_STATUS:
        rpc_.Reply(to, SmallStatus(), {});
        return;
      case METHOD_EXPLAIN: {
        ExplainRequest meta;
        CHECK(request.Parse(meta).ok());
        ExplainReply reply;
        reply.set_found(true);
        reply.set_lane(address_ == "mem://lane1" ? 1 : 0);
        reply.set_shard(ShardOfKey(meta.table(), meta.key(), kShards));
        rpc_.Reply(to, reply, {});
        return;
      }
      case METHOD_STOP:
        rpc_.Reply(to, StopReply(), {});
        return;
      case METHOD_SNAPSHOT:
        rpc_.ReplyError(to, FailedPreconditionError("not now"));
        return;
      default:
        return;  // silent
    }
  }

 private:
  std::unique_ptr<Endpoint> endpoint_;
  std::shared_ptr<Waker> waker_;
  RpcNode rpc_;
  const std::string address_;
  std::atomic<bool> stop_{false};
  std::atomic<int> greetings_left_{1000};
  Thread thread_;
};

class CommandsTest : public ::testing::Test {
 protected:
  CommandsTest() : transport_(clock_) {}

  void Connect(Duration patience = std::chrono::seconds(60)) {
    auto client = CtlClient::Connect(transport_, clock_, "mem://scheduler", 9, patience);
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = std::move(*client);
  }
  CtlContext Context(OutputFormat format = OutputFormat::kText) {
    return {.client = *client_, .clock = clock_, .out = out_, .format = format};
  }

  SystemClock clock_;
  MemoryTransport transport_;
  std::ostringstream out_;
  std::unique_ptr<CtlClient> client_;
};

TEST_F(CommandsTest, SaysThatThereIsNoScheduler) {
  const auto client =
      CtlClient::Connect(transport_, clock_, "mem://scheduler", 9, std::chrono::milliseconds(100));

  ASSERT_FALSE(client.ok());
  EXPECT_EQ(CtlExitFor(client.status()), CtlExit::kUnreachable);
  EXPECT_THAT(client.status().message(), HasSubstr("no scheduler answers at mem://scheduler"));
}

TEST_F(CommandsTest, ShowsTheStatus) {
  FakePeer scheduler(transport_, clock_, "mem://scheduler");
  Connect();
  CtlContext context = Context();

  const auto exit = ShowStatus(context);

  ASSERT_TRUE(exit.ok()) << exit.status();
  EXPECT_EQ(*exit, CtlExit::kHealthy);
  EXPECT_THAT(out_.str(), HasSubstr("job small  finished"));
}

TEST_F(CommandsTest, AsksTheLaneThatOwnsAKey) {
  FakePeer scheduler(transport_, clock_, "mem://scheduler");
  FakePeer lane0(transport_, clock_, "mem://lane0");
  FakePeer lane1(transport_, clock_, "mem://lane1");
  Connect();
  CtlContext context = Context();
  // A key of table 1 in the second half of the shards.
  Key key = 0;
  while (ShardOfKey(1, key, kShards) < kShards / 2) {
    ++key;
  }

  const auto exit = ExplainKey(context, "user", std::to_string(key));

  ASSERT_TRUE(exit.ok()) << exit.status();
  EXPECT_THAT(out_.str(), HasSubstr("lane 1"));
}

TEST_F(CommandsTest, NamesTheTableThatWasMeant) {
  FakePeer scheduler(transport_, clock_, "mem://scheduler");
  Connect();
  CtlContext context = Context();

  const auto unknown = ExplainKey(context, "usr", "1");
  const auto junk = ExplainKey(context, "user", "0x1g");

  EXPECT_EQ(CtlExitFor(unknown.status()), CtlExit::kUsage);
  EXPECT_THAT(unknown.status().message(), HasSubstr("did you mean 'user'?"));
  EXPECT_EQ(CtlExitFor(junk.status()), CtlExit::kUsage);
}

TEST_F(CommandsTest, PassesOnWhyASnapshotWasRefused) {
  FakePeer scheduler(transport_, clock_, "mem://scheduler");
  Connect();
  CtlContext context = Context();

  const auto exit = TakeSnapshot(context, "somewhere");

  EXPECT_EQ(CtlExitFor(exit.status()), CtlExit::kDegraded);
  EXPECT_EQ(exit.status().message(), "not now");
}

TEST_F(CommandsTest, TimesOutWhenALaneIsSilent) {
  FakePeer scheduler(transport_, clock_, "mem://scheduler");
  Connect();
  CtlContext context = Context();
  context.timeout = std::chrono::milliseconds(100);

  const auto exit = ExplainKey(context, "user", "1");

  EXPECT_EQ(CtlExitFor(exit.status()), CtlExit::kTimeout);
}

TEST_F(CommandsTest, NoticesWhenTheSchedulerFallsSilentWhileItWaits) {
  FakePeer scheduler(transport_, clock_, "mem://scheduler");
  Connect(std::chrono::milliseconds(300));
  scheduler.FallSilentAfter(2);

  const auto reply = client_->Ask<EchoReply>(METHOD_ECHO, EchoRequest(), std::chrono::hours(1));

  EXPECT_EQ(CtlExitFor(reply.status()), CtlExit::kUnreachable);
  EXPECT_THAT(reply.status().message(), HasSubstr("the scheduler fell silent"));
}

TEST_F(CommandsTest, Stops) {
  FakePeer scheduler(transport_, clock_, "mem://scheduler");
  Connect();
  CtlContext context = Context(OutputFormat::kJson);

  ASSERT_TRUE(StopJob(context).ok());
  EXPECT_EQ(out_.str(), "{\"schema\": 1, \"stopping\": true}\n");
}

}  // namespace
}  // namespace antiphon
