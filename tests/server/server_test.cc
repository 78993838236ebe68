#include "server/server.h"

#include <atomic>
#include <chrono>
#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/net/memory_transport.h"
#include "tests/server/lane_fixture.h"
#include "tests/support/memory_file_system.h"

namespace antiphon {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kScheduler[] = "mem://scheduler";

// A scheduler on its own thread that configures the lanes of the first server and then tells the
// state that it is given.
class SmallScheduler final : public RequestHandler {
 public:
  explicit SmallScheduler(Transport& transport)
      : endpoint_(transport.Open({.name = "scheduler", .listen_address = kScheduler}).value()),
        rpc_(*endpoint_, clock_, {.incarnation = 1}, this) {
    thread_ = Thread("scheduler", [this] {
      while (!stop_.load()) {
        rpc_.Poll(milliseconds(5));
      }
    });
  }
  ~SmallScheduler() override { stop_.store(true); }

  void OnRequest(Request& request) override {
    if (request.method() == METHOD_REGISTER) {
      RegisterReply reply;
      reply.set_cluster_id(kTestCluster);
      reply.set_heartbeat_ms(20);
      rpc_.Reply(RpcNode::AddressOf(request), reply, {});
      return;
    }
    HeartbeatRequest heartbeat;
    EXPECT_TRUE(request.Parse(heartbeat).ok());
    lanes_told_.store(heartbeat.lanes_size());
    HeartbeatReply reply;
    reply.set_state(static_cast<JobState>(state_.load()));
    reply.set_reason("worker 3 is gone");
    rpc_.Reply(RpcNode::AddressOf(request), reply, {});
  }

  void Tell(JobState state) { state_.store(state); }
  int lanes_told() const { return lanes_told_.load(); }

 private:
  SystemClock clock_;
  std::unique_ptr<Endpoint> endpoint_;
  RpcNode rpc_;
  std::atomic<int> state_{JOB_WAITING};
  std::atomic<int> lanes_told_{-1};
  std::atomic<bool> stop_{false};
  Thread thread_;
};

class ServerTest : public ::testing::Test {
 protected:
  ServerTest() : transport_(clock_) {}

  std::unique_ptr<Server> StartServer(Duration timeout = seconds(10)) {
    ServerOptions options;
    options.scheduler_address = kScheduler;
    options.listen_addresses = {"mem://a", "mem://b"};
    options.incarnation = 5;
    options.register_timeout = timeout;
    options.scheduler_timeout = timeout;
    StatusOr<std::unique_ptr<Server>> server = Server::Start(transport_, clock_, fs_, options);
    EXPECT_TRUE(server.ok()) << server.status();
    return std::move(server).value();
  }

  SystemClock clock_;
  MemoryTransport transport_;
  MemoryFileSystem fs_;
};

TEST_F(ServerTest, EndsWellWithTheJob) {
  for (const JobState state : {JOB_FINISHED, JOB_STOPPED}) {
    SmallScheduler scheduler(transport_);
    const std::unique_ptr<Server> server = StartServer();
    EXPECT_THAT(server->lane_addresses(), ElementsAre("mem://a", "mem://b"));

    scheduler.Tell(state);

    EXPECT_EQ(server->Wait(), Status());
    EXPECT_EQ(scheduler.lanes_told(), 2);
  }
}

TEST_F(ServerTest, SaysWhyTheJobFailed) {
  SmallScheduler scheduler(transport_);
  const std::unique_ptr<Server> server = StartServer();

  scheduler.Tell(JOB_FAILED);

  EXPECT_THAT(server->Wait().message(), HasSubstr("worker 3 is gone"));
}

TEST_F(ServerTest, NamesASchedulerThatIsNotThere) {
  const std::unique_ptr<Server> server = StartServer(milliseconds(50));

  const Status ended = server->Wait();

  EXPECT_EQ(ended.code(), StatusCode::kUnavailable);
  EXPECT_THAT(ended.message(), HasSubstr(kScheduler));
}

TEST_F(ServerTest, StopsWhenItIsTold) {
  SmallScheduler scheduler(transport_);
  const std::unique_ptr<Server> server = StartServer();
  EXPECT_FALSE(server->WaitFor(milliseconds(1)));

  server->Stop();
  server->Stop();

  EXPECT_EQ(server->Wait(), Status());
}

TEST_F(ServerTest, AnswersClientsOnEveryLane) {
  SmallScheduler scheduler(transport_);
  const std::unique_ptr<Server> server = StartServer();
  TestClient client(transport_, clock_, 11);
  for (const std::string& address : server->lane_addresses()) {
    client.ConnectTo(address);
  }

  for (LaneId lane = 0; lane < 2; ++lane) {
    Answer answer;
    client.Send(lane, METHOD_CONFIGURE, TestConfig(2, lane), {}, answer);
    while (answer.count == 0) {
      client.rpc().Poll(milliseconds(10));
    }
    EXPECT_TRUE(answer.status.ok()) << answer.status;
  }
}

TEST_F(ServerTest, RefusesAnAddressThatIsTaken) {
  const std::unique_ptr<Server> server = StartServer();
  ServerOptions options;
  options.scheduler_address = kScheduler;
  options.listen_addresses = {"mem://a"};

  EXPECT_EQ(Server::Start(transport_, clock_, fs_, options).status().code(),
            StatusCode::kAlreadyExists);
}

}  // namespace
}  // namespace antiphon
