#include "common/net/scheduler_link.h"

#include <chrono>
#include <memory>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/bounded_queue.h"
#include "common/net/memory_transport.h"
#include "common/net/node_agent.h"
#include "tests/support/fake_clock.h"

namespace antiphon {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr char kAddress[] = "mem://scheduler";

// Answers registrations and heartbeats as it is told.
class FakeScheduler final : public RequestHandler {
 public:
  FakeScheduler(Transport& transport, Clock& clock)
      : endpoint_(transport.Open({.name = "scheduler", .listen_address = kAddress}).value()),
        rpc_(*endpoint_, clock, {.incarnation = 1}, this) {}

  void OnRequest(Request& request) override {
    if (request.method() == METHOD_REGISTER) {
      ++registrations;
      if (!refusal.ok()) {
        rpc_.ReplyError(RpcNode::AddressOf(request), refusal);
        return;
      }
      RegisterReply reply;
      reply.set_node(4);
      reply.set_cluster_id(77);
      reply.set_heartbeat_ms(1000);
      reply.set_scheduler_epoch(heartbeat_reply.scheduler_epoch());
      rpc_.Reply(RpcNode::AddressOf(request), reply, {});
      return;
    }
    HeartbeatRequest heartbeat;
    EXPECT_TRUE(request.Parse(heartbeat).ok());
    heartbeats.push_back(heartbeat);
    rpc_.Reply(RpcNode::AddressOf(request), heartbeat_reply, {});
  }

  void Poll() { rpc_.Poll(Duration::zero()); }

  Status refusal;
  HeartbeatReply heartbeat_reply;
  int registrations = 0;
  std::vector<HeartbeatRequest> heartbeats;

 private:
  std::unique_ptr<Endpoint> endpoint_;
  RpcNode rpc_;
};

class SchedulerLinkTest : public ::testing::Test {
 protected:
  SchedulerLinkTest()
      : transport_(clock_),
        endpoint_(transport_.Open({.name = "node", .listen_address = ""}).value()) {}

  SchedulerLinkOptions Options() {
    SchedulerLinkOptions options;
    options.scheduler_address = kAddress;
    options.incarnation = 9;
    options.registration.set_role(ROLE_WORKER);
    return options;
  }

  void MakeLink() {
    link_ = std::make_unique<SchedulerLink>(*endpoint_, clock_, Options(),
                                            [](HeartbeatRequest& r) { r.add_lanes(); });
  }

  // Lets both sides work for this long.
  void Run(Duration duration, FakeScheduler* scheduler) {
    for (Duration passed{}; passed < duration; passed += milliseconds(50)) {
      clock_.Advance(milliseconds(50));
      link_->Poll(Duration::zero());
      if (scheduler != nullptr) {
        scheduler->Poll();
      }
      link_->Poll(Duration::zero());
    }
  }

  FakeClock clock_;
  MemoryTransport transport_;
  std::unique_ptr<Endpoint> endpoint_;
  std::unique_ptr<SchedulerLink> link_;
};

TEST_F(SchedulerLinkTest, RegistersAndBeats) {
  FakeScheduler scheduler(transport_, clock_);
  scheduler.heartbeat_reply.set_state(JOB_RUNNING);
  MakeLink();

  Run(milliseconds(3500), &scheduler);

  ASSERT_TRUE(link_->registered());
  EXPECT_EQ(link_->registration().node(), 4u);
  EXPECT_EQ(link_->job_state(), JOB_RUNNING);
  EXPECT_GE(scheduler.heartbeats.size(), 3u);
  EXPECT_LE(scheduler.heartbeats.size(), 5u);
  EXPECT_EQ(scheduler.heartbeats[0].node(), 4u);
  EXPECT_EQ(scheduler.heartbeats[0].role(), ROLE_WORKER);
  EXPECT_EQ(scheduler.heartbeats[0].lanes_size(), 1);
}

TEST_F(SchedulerLinkTest, WaitsForASchedulerThatStartsLater) {
  MakeLink();
  Run(seconds(5), nullptr);
  EXPECT_FALSE(link_->ended());

  FakeScheduler scheduler(transport_, clock_);
  Run(seconds(1), &scheduler);

  EXPECT_TRUE(link_->registered());
}

TEST_F(SchedulerLinkTest, GivesUpOnASchedulerThatNeverStarts) {
  MakeLink();

  Run(seconds(31), nullptr);

  ASSERT_TRUE(link_->ended());
  EXPECT_EQ(link_->result().code(), StatusCode::kUnavailable);
  EXPECT_THAT(link_->result().message(), HasSubstr("mem://scheduler has not answered for 30"));
}

TEST_F(SchedulerLinkTest, NamesASchedulerThatWentSilent) {
  FakeScheduler scheduler(transport_, clock_);
  MakeLink();
  Run(seconds(3), &scheduler);

  Run(seconds(58), nullptr);
  EXPECT_FALSE(link_->ended());
  Run(seconds(3), nullptr);

  ASSERT_TRUE(link_->ended());
  EXPECT_EQ(link_->result().code(), StatusCode::kUnavailable);
  EXPECT_THAT(link_->result().message(), HasSubstr("scheduler mem://scheduler"));
}

TEST_F(SchedulerLinkTest, SurvivesAShortSilence) {
  FakeScheduler scheduler(transport_, clock_);
  MakeLink();
  Run(seconds(3), &scheduler);

  Run(seconds(8), nullptr);
  Run(seconds(2), &scheduler);
  Run(seconds(8), nullptr);

  EXPECT_FALSE(link_->ended());
}

TEST_F(SchedulerLinkTest, EndsWithTheJob) {
  struct Case {
    JobState state;
    StatusCode code;
  };
  for (const Case& c : {Case{JOB_FINISHED, StatusCode::kOk}, Case{JOB_STOPPED, StatusCode::kOk},
                        Case{JOB_FAILED, StatusCode::kUnavailable}}) {
    FakeScheduler scheduler(transport_, clock_);
    scheduler.heartbeat_reply.set_state(c.state);
    scheduler.heartbeat_reply.set_reason("server 1 is gone");
    MakeLink();

    Run(seconds(1), &scheduler);

    ASSERT_TRUE(link_->ended());
    EXPECT_EQ(link_->result().code(), c.code);
    if (c.state == JOB_FAILED) {
      EXPECT_THAT(link_->result().message(), HasSubstr("server 1 is gone"));
    }
  }
}

TEST_F(SchedulerLinkTest, DoesNothingThatAnEarlierSchedulerSays) {
  FakeScheduler scheduler(transport_, clock_);
  scheduler.heartbeat_reply.set_state(JOB_RUNNING);
  scheduler.heartbeat_reply.set_scheduler_epoch(2);
  MakeLink();
  Run(seconds(3), &scheduler);
  scheduler.heartbeat_reply.set_scheduler_epoch(3);
  Run(seconds(3), &scheduler);

  scheduler.heartbeat_reply.set_scheduler_epoch(2);
  scheduler.heartbeat_reply.set_state(JOB_STOPPED);
  scheduler.heartbeat_reply.set_view_epoch(9);
  scheduler.heartbeat_reply.set_drain(true);
  Run(seconds(50), &scheduler);

  EXPECT_FALSE(link_->ended());
  EXPECT_EQ(link_->job_state(), JOB_RUNNING);
  EXPECT_EQ(link_->view_epoch(), 0u);
  EXPECT_FALSE(link_->may_leave());

  scheduler.heartbeat_reply.set_scheduler_epoch(3);
  scheduler.heartbeat_reply.set_state(JOB_RUNNING);
  Run(seconds(20), &scheduler);
  EXPECT_FALSE(link_->ended());
  EXPECT_EQ(link_->view_epoch(), 9u) << "the later one is listened to";
}

TEST_F(SchedulerLinkTest, AnEarlierSchedulerIsNoSignOfLife) {
  FakeScheduler scheduler(transport_, clock_);
  scheduler.heartbeat_reply.set_scheduler_epoch(2);
  MakeLink();
  Run(seconds(3), &scheduler);

  scheduler.heartbeat_reply.set_scheduler_epoch(1);
  Run(seconds(65), &scheduler);

  ASSERT_TRUE(link_->ended());
  EXPECT_EQ(link_->result().code(), StatusCode::kUnavailable);
  EXPECT_THAT(link_->result().message(),
              HasSubstr("scheduler 1 of this job answers, but scheduler 2 has been heard"));
}

TEST_F(SchedulerLinkTest, EndsWhenItIsRefused) {
  FakeScheduler scheduler(transport_, clock_);
  scheduler.refusal = FailedPreconditionError("another job file");
  MakeLink();

  Run(seconds(1), &scheduler);

  ASSERT_TRUE(link_->ended());
  EXPECT_EQ(link_->result().code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(link_->result().message(), HasSubstr("another job file"));
}

// A fake scheduler on a thread of its own, which ends with it.
class SchedulerThreadForAgents {
 public:
  SchedulerThreadForAgents(Transport& transport, Clock& clock, JobState state)
      : scheduler_(transport, clock) {
    scheduler_.heartbeat_reply.set_state(state);
    thread_ = Thread("scheduler", [this] {
      while (!stop_.load()) {
        scheduler_.Poll();
      }
    });
  }
  ~SchedulerThreadForAgents() { Join(); }

  // What was heard; ends the thread.
  const std::vector<HeartbeatRequest>& Join() {
    stop_.store(true);
    thread_.Join();
    return scheduler_.heartbeats;
  }

 private:
  FakeScheduler scheduler_;
  std::atomic<bool> stop_{false};
  Thread thread_;
};

TEST(NodeAgentTest, RegistersTellsTheEndAndStops) {
  SystemClock clock;
  MemoryTransport transport(clock);
  BoundedQueue<int> ended(1);
  SchedulerThreadForAgents scheduler(transport, clock, JOB_FINISHED);
  SchedulerLinkOptions options;
  options.scheduler_address = kAddress;
  options.incarnation = 9;
  StatusOr<std::unique_ptr<NodeAgent>> agent = NodeAgent::Start(
      transport, clock, options, [](HeartbeatRequest&) {},
      [&ended] {
        int one = 1;
        ended.TryPush(one);
      });
  ASSERT_TRUE(agent.ok());

  EXPECT_EQ((*agent)->WaitUntilRegistered().value().node(), 4u);
  EXPECT_TRUE(ended.PopFor(seconds(10)).has_value());
  EXPECT_EQ((*agent)->result(), Status());
  (*agent)->Stop("told to stop");
  EXPECT_FALSE(scheduler.Join().back().has_leaving()) << "the job was over already";
}

TEST(NodeAgentTest, SaysWhyItLeavesAJobThatGoesOn) {
  SystemClock clock;
  MemoryTransport transport(clock);
  SchedulerThreadForAgents scheduler(transport, clock, JOB_RUNNING);
  SchedulerLinkOptions options;
  options.scheduler_address = kAddress;
  options.incarnation = 9;
  StatusOr<std::unique_ptr<NodeAgent>> agent = NodeAgent::Start(
      transport, clock, options, [](HeartbeatRequest&) {}, [] {});
  ASSERT_TRUE(agent.ok());
  ASSERT_TRUE((*agent)->WaitUntilRegistered().ok());

  (*agent)->Stop("told to stop");
  Thread another("another", [&agent] { (*agent)->Stop("a second reason"); });
  (*agent)->Stop("a third reason");
  another.Join();

  const std::vector<HeartbeatRequest>& heard = scheduler.Join();
  ASSERT_FALSE(heard.empty());
  EXPECT_EQ(heard.back().leaving(), "told to stop");
  EXPECT_EQ(heard.back().node(), 4u);
  EXPECT_EQ((*agent)->result()->code(), StatusCode::kCancelled);
}

TEST(NodeAgentTest, StopEndsTheWaitForRegistration) {
  SystemClock clock;
  MemoryTransport transport(clock);
  SchedulerLinkOptions options;
  options.scheduler_address = kAddress;
  StatusOr<std::unique_ptr<NodeAgent>> agent = NodeAgent::Start(
      transport, clock, options, [](HeartbeatRequest&) {}, [] {});
  ASSERT_TRUE(agent.ok());

  (*agent)->Stop("told to stop");

  EXPECT_EQ((*agent)->WaitUntilRegistered().status().code(), StatusCode::kCancelled);
}

}  // namespace
}  // namespace antiphon
