#include "scheduler/membership.h"

#include <chrono>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace antiphon {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::SizeIs;

const Time kStart = Time() + std::chrono::hours(1);

RegisterRequest Server(const std::string& address) {
  RegisterRequest request;
  request.set_role(ROLE_SERVER);
  request.add_lane_addresses(address);
  request.set_pid(123);
  return request;
}

RegisterRequest Worker() {
  RegisterRequest request;
  request.set_role(ROLE_WORKER);
  request.set_host("a");
  request.set_pid(99);
  return request;
}

// Sweeps every beat as the scheduler does, and hears `living` each time.
std::vector<const Node*> RunUntil(Membership& members, Time from, Time until, Incarnation living) {
  std::vector<const Node*> dead;
  for (Time now = from; now <= until; now += milliseconds(500)) {
    EXPECT_TRUE(members.Hear(living, now).ok());
    const std::vector<const Node*> found = members.Sweep(now);
    dead.insert(dead.end(), found.begin(), found.end());
  }
  return dead;
}

TEST(MembershipTest, NumbersServersInOrderOfRegistration) {
  Membership members({.servers = 2});

  const StatusOr<Node*> first = members.Register(Server("tcp://1"), 11, kStart);
  const StatusOr<Node*> second = members.Register(Server("tcp://2"), 12, kStart);

  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ((*first)->index, 0u);
  EXPECT_EQ((*second)->index, 1u);
  EXPECT_TRUE(members.servers_complete());
}

TEST(MembershipTest, GivesTheSameNodeToARepeatedRegistration) {
  Membership members({.servers = 2});
  const StatusOr<Node*> first = members.Register(Server("tcp://1"), 11, kStart);

  const StatusOr<Node*> again = members.Register(Server("tcp://1"), 11, kStart);

  ASSERT_TRUE(first.ok() && again.ok());
  EXPECT_EQ(*first, *again);
  EXPECT_THAT(members.servers(), SizeIs(1));
}

TEST(MembershipTest, RefusesAServerTooMany) {
  Membership members({.servers = 1});
  const StatusOr<Node*> server = members.Register(Server("tcp://1"), 11, kStart);
  ASSERT_TRUE(server.ok());
  (*server)->last_heartbeat = 1;

  const Status at_first = members.Register(Server("tcp://2"), 12, kStart).status();
  ASSERT_TRUE(members.Hear(11, kStart + milliseconds(300)).ok());
  const Status then = members.Register(Server("tcp://2"), 12, kStart + milliseconds(400)).status();

  EXPECT_EQ(at_first.code(), StatusCode::kUnavailable);
  EXPECT_EQ(then.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(then.message(), HasSubstr("all of them live: server 0 (pid 123, tcp://1)"));
  EXPECT_THAT(then.message(), HasSubstr("--servers=2"));
}

TEST(MembershipTest, GivesTheSlotOfADeadServerToTheNextOne) {
  Membership members({.servers = 2});
  ASSERT_TRUE(members.Register(Server("tcp://1"), 11, kStart).ok());
  ASSERT_TRUE(members.Register(Server("tcp://2"), 12, kStart).ok());
  const Time later = kStart + milliseconds(3000);
  ASSERT_TRUE(members.Register(Server("tcp://3"), 13, kStart).status().code() ==
              StatusCode::kUnavailable);
  RunUntil(members, kStart, later, 12);
  EXPECT_FALSE(members.servers_complete());

  const StatusOr<Node*> third = members.Register(Server("tcp://1"), 13, later);

  ASSERT_TRUE(third.ok()) << third.status();
  EXPECT_EQ((*third)->index, 0u);
  EXPECT_TRUE(members.servers_complete());
  EXPECT_EQ(members.servers()[0]->incarnation, 13u);
  EXPECT_EQ(members.Hear(11, later).status().code(), StatusCode::kStaleEpoch);
}

TEST(MembershipTest, RefusesAServerWithOtherLanesThanTheOneBeforeIt) {
  Membership members({.servers = 1});
  ASSERT_TRUE(members.Register(Server("tcp://1"), 11, kStart).ok());
  members.Bury(11, "its launcher saw it end", kStart);
  RegisterRequest two_lanes = Server("tcp://2");
  two_lanes.add_lane_addresses("tcp://3");

  const Status status = members.Register(two_lanes, 12, kStart).status();

  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("free for a server with --lanes=1, this one has 2"));
}

TEST(MembershipTest, RefusesALaneAddressThatIsTaken) {
  Membership members({.servers = 2});
  ASSERT_TRUE(members.Register(Server("tcp://1"), 11, kStart).ok());

  const Status status = members.Register(Server("tcp://1"), 12, kStart).status();

  EXPECT_EQ(status.code(), StatusCode::kAlreadyExists);
  EXPECT_THAT(status.message(), HasSubstr("server 0 (pid 123, tcp://1)"));
}

TEST(MembershipTest, RefusesNonsense) {
  Membership members({.servers = 2});
  RegisterRequest control;
  control.set_role(ROLE_CONTROL);
  RegisterRequest no_lanes;
  no_lanes.set_role(ROLE_SERVER);

  EXPECT_EQ(members.Register(control, 11, kStart).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(members.Register(no_lanes, 12, kStart).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(members.Register(Worker(), 0, kStart).status().code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(members.nodes().empty());
}

TEST(MembershipTest, DeclaresASilentNodeDeadAndSaysForHowLong) {
  Membership members({.servers = 1});
  ASSERT_TRUE(members.Register(Server("tcp://1"), 11, kStart).ok());
  ASSERT_TRUE(members.Register(Worker(), 21, kStart).ok());

  const auto dead = RunUntil(members, kStart, kStart + milliseconds(3000), 21);

  ASSERT_THAT(dead, SizeIs(1));
  EXPECT_EQ(dead.front()->Name(), "server 0 (pid 123, tcp://1)");
  EXPECT_EQ(dead.front()->death, "no heartbeat for 3.0 s");
}

TEST(MembershipTest, TellsANodeThatWasDeclaredDeadToRestart) {
  Membership members({.servers = 1});
  ASSERT_TRUE(members.Register(Server("tcp://1"), 11, kStart).ok());
  ASSERT_TRUE(members.Register(Worker(), 21, kStart).ok());
  RunUntil(members, kStart, kStart + milliseconds(3000), 11);

  const Status status = members.Hear(21, kStart + milliseconds(3100)).status();
  const Status registered = members.Register(Worker(), 21, kStart + milliseconds(3100)).status();

  EXPECT_EQ(status.code(), StatusCode::kStaleEpoch);
  EXPECT_THAT(status.message(), HasSubstr("was declared dead (no heartbeat for 3.0 s); restart"));
  EXPECT_EQ(registered.code(), StatusCode::kStaleEpoch);
}

TEST(MembershipTest, DoesNotKnowAStranger) {
  Membership members({.servers = 1});

  EXPECT_EQ(members.Hear(5, kStart).status().code(), StatusCode::kStaleEpoch);
}

TEST(MembershipTest, DoesNotCountItsOwnSleepAsSilence) {
  Membership members({.servers = 1});
  ASSERT_TRUE(members.Register(Server("tcp://1"), 11, kStart).ok());
  EXPECT_TRUE(members.Sweep(kStart).empty());

  EXPECT_TRUE(members.Sweep(kStart + std::chrono::seconds(30)).empty());
  EXPECT_TRUE(members.Hear(11, kStart + std::chrono::seconds(30)).ok());
}

TEST(MembershipTest, ANodeThatLeftIsNotHeardAgain) {
  Membership members({.servers = 1});
  ASSERT_TRUE(members.Register(Worker(), 21, kStart).ok());

  members.Leave(21, "told to stop", kStart);

  EXPECT_EQ(members.LiveWorkers(), 0u);
  EXPECT_TRUE(members.AllTold());
  EXPECT_TRUE(members.Sweep(kStart + milliseconds(9000)).empty());
  EXPECT_THAT(members.Hear(21, kStart).status().message(), HasSubstr("has left (told to stop)"));
}

TEST(MembershipTest, ANodeThatKnewOfTheEndHasLeft) {
  Membership members({.servers = 1});
  ASSERT_TRUE(members.Register(Server("tcp://1"), 11, kStart).ok());
  const StatusOr<Node*> worker = members.Register(Worker(), 21, kStart);
  ASSERT_TRUE(worker.ok());
  (*worker)->told_end = true;

  const auto dead = RunUntil(members, kStart, kStart + milliseconds(3000), 11);

  EXPECT_TRUE(dead.empty());
  EXPECT_EQ((*worker)->health, NodeStatus::LEFT);
  EXPECT_FALSE(members.AllTold());
}

// Servers 11 and 12 with a seat each, of a job that more may join.
Membership Elastic() {
  Membership members({.servers = 2, .elastic = true});
  ClusterView view;
  for (const Incarnation server : {11, 12}) {
    EXPECT_TRUE(members.Register(Server("tcp://" + std::to_string(server)), server, kStart).ok());
    view.add_lanes()->set_server(static_cast<uint32_t>(server - 11));
  }
  members.Seat(view);
  return members;
}

StatusOr<Node*> Join(Membership& members, Incarnation server) {
  return members.Register(Server("tcp://" + std::to_string(server)), server, kStart,
                          Joining::kAtOnce);
}

ClusterView ViewOf(const std::vector<uint32_t>& slots) {
  ClusterView view;
  for (const uint32_t slot : slots) {
    view.add_lanes()->set_server(slot);
  }
  return view;
}

TEST(MembershipTest, AServerJoinsOnceAllOthersHaveSpokenSinceItCame) {
  Membership members = Elastic();
  for (const Incarnation server : {11, 12}) {
    (*members.Hear(server, kStart))->last_heartbeat = 1;
  }
  const RegisterRequest request = Server("tcp://13");
  EXPECT_EQ(members.Register(request, 13, kStart).status().code(), StatusCode::kUnavailable);

  for (const Incarnation server : {11, 12}) {
    EXPECT_TRUE(members.Hear(server, kStart + milliseconds(500)).ok());
  }
  const StatusOr<Node*> joined = members.Register(request, 13, kStart + milliseconds(600));

  ASSERT_TRUE(joined.ok()) << joined.status();
  EXPECT_EQ((*joined)->index, 2u);
  EXPECT_FALSE(members.HasSeat(**joined));
}

TEST(MembershipTest, ASlotWithoutASeatGoesWithItsServer) {
  Membership members = Elastic();
  ASSERT_TRUE(Join(members, 13).ok());

  members.Bury(13, "gone", kStart);

  EXPECT_THAT(members.servers(), SizeIs(2));
  EXPECT_TRUE(members.servers_complete());
  EXPECT_EQ((*Join(members, 14))->index, 3u) << "numbers are not used again";
}

TEST(MembershipTest, AServerThatJoinedTakesThePlaceOfOneThatIsLost) {
  Membership members = Elastic();
  ASSERT_TRUE(Join(members, 13).ok());

  members.Bury(11, "gone", kStart);

  EXPECT_TRUE(members.servers_complete());
  EXPECT_EQ(members.ServerOf(0)->incarnation, 13u);
  EXPECT_EQ(members.ServerOf(2), nullptr);
}

TEST(MembershipTest, ADrainedServerKeepsItsSlotUntilNoViewNeedsIt) {
  Membership members = Elastic();
  ASSERT_TRUE(members.Drain(ROLE_SERVER, 0).ok());
  EXPECT_TRUE(members.Drain(ROLE_SERVER, 0).ok()) << "twice is once";
  EXPECT_FALSE(members.Find(11)->may_leave());

  members.Seat(ViewOf({1}));

  EXPECT_TRUE(members.Find(11)->may_leave());
  EXPECT_THAT(members.servers(), SizeIs(1));
  members.Leave(11, "was drained", kStart);
  EXPECT_TRUE(members.servers_complete());
}

TEST(MembershipTest, WhoeverTakesThePlaceOfADrainedServerIsDrained) {
  Membership members = Elastic();
  ASSERT_TRUE(members.Drain(ROLE_SERVER, 0).ok());
  members.Bury(11, "gone", kStart);

  const StatusOr<Node*> next = Join(members, 13);

  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_EQ((*next)->index, 0u);
  EXPECT_TRUE((*next)->draining);
}

TEST(MembershipTest, ALostServerThatIsDrainedIsGivenUpAndNobodyTakesItsPlace) {
  Membership members = Elastic();
  members.Bury(11, "gone", kStart);
  EXPECT_FALSE(members.servers_complete_but_given_up());

  ASSERT_TRUE(members.Drain(ROLE_SERVER, 0).ok());

  EXPECT_TRUE(members.Find(11)->given_up);
  EXPECT_TRUE(members.servers_complete_but_given_up());
  EXPECT_FALSE(members.servers_complete());
  EXPECT_EQ((*Join(members, 13))->index, 2u);
  members.Seat(ViewOf({1}));
  EXPECT_TRUE(members.servers_complete());
  EXPECT_EQ(members.Drain(ROLE_SERVER, 0).status().code(), StatusCode::kNotFound);
}

TEST(MembershipTest, FindsALostServerThatOthersCanDoWithout) {
  Membership members = Elastic();
  members.Bury(11, "gone", kStart);

  EXPECT_EQ(members.FindLost(seconds(60), kStart + seconds(60)), nullptr);
  EXPECT_EQ(members.FindLost(seconds(60), kStart + seconds(61)), members.Find(11));
  members.Bury(12, "gone", kStart);
  ASSERT_TRUE(Join(members, 13).ok()) << "in the place of one of them";
  EXPECT_EQ(members.FindLost(seconds(60), kStart + seconds(61)), members.Find(12));
  members.Bury(13, "gone", kStart);
  EXPECT_EQ(members.FindLost(seconds(60), kStart + seconds(61)), nullptr) << "nobody is left";
}

TEST(MembershipTest, OneThatIsDrainedItselfCanInherit) {
  Membership members = Elastic();
  ASSERT_TRUE(members.Drain(ROLE_SERVER, 1).ok());
  members.Bury(11, "gone", kStart);

  EXPECT_TRUE(members.Drain(ROLE_SERVER, 0).ok());
}

TEST(MembershipTest, ADrainedServerThatDiesWaitsForAnotherInItsPlace) {
  Membership members = Elastic();
  ASSERT_TRUE(members.Drain(ROLE_SERVER, 0).ok());
  members.Bury(11, "gone", kStart);
  EXPECT_FALSE(members.Find(11)->given_up);

  ASSERT_TRUE(members.Drain(ROLE_SERVER, 0).ok());

  EXPECT_TRUE(members.Find(11)->given_up) << "to be asked for once more";
}

TEST(MembershipTest, RefusesToDrainTheLastServer) {
  Membership members = Elastic();
  ASSERT_TRUE(members.Drain(ROLE_SERVER, 0).ok());

  const StatusOr<Node*> last = members.Drain(ROLE_SERVER, 1);

  EXPECT_EQ(last.status().code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(last.status().message(), HasSubstr("no other server that could take the shards"));
}

TEST(MembershipTest, SaysWhatADrainNeeds) {
  Membership members({.servers = 2});
  for (const Incarnation server : {11, 12}) {
    ASSERT_TRUE(members.Register(Server("tcp://" + std::to_string(server)), server, kStart).ok());
  }

  EXPECT_THAT(members.Drain(ROLE_SERVER, 0).status().message(), HasSubstr("--snapshot_dir"));
  EXPECT_EQ(members.Drain(ROLE_SERVER, 5).status().code(), StatusCode::kNotFound);
}

TEST(MembershipTest, AWorkerThatIsDrainedMayLeaveAtOnce) {
  Membership members({.servers = 1});
  ASSERT_TRUE(members.Register(Worker(), 21, kStart).ok());

  ASSERT_TRUE(members.Drain(ROLE_WORKER, 0).ok());

  EXPECT_TRUE(members.Find(21)->may_leave());
}

}  // namespace
}  // namespace antiphon
