// Lane: one thread's share of the model and the socket that its clients talk to.
//
// Nothing that a lane owns is touched by another thread: the thread that calls Poll owns it all,
// tables without locks included. What peers send is checked before it is used, and every request
// may come twice. Before the scheduler's Configure everything else is refused with
// kFailedPrecondition; afterwards, whoever speaks for another cluster or shard map gets
// kStaleEpoch. When another server is lost the scheduler sends a newer view, and what this lane has
// learned stays; when servers join or leave, the lane adopts shards and gives others away
// (server/adoption_service.h).
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/file_system.h"
#include "common/base/status.h"
#include "common/net/rpc.h"
#include "common/net/transport.h"
#include "proto/cluster.pb.h"
#include "server/adoption_service.h"
#include "server/lane_state.h"
#include "server/pull_service.h"
#include "server/push_service.h"
#include "server/row_sweeper.h"
#include "server/snapshot_service.h"
#include "server/tick_gate.h"

namespace antiphon {

struct LaneOptions {
  Incarnation incarnation = 0;
  PositionCheck position_check = PositionCheck::kOn;
  uint64_t memory_limit = 0;  // bytes of rows, indexes and chunks; 0: none
};

class Lane final : private RequestHandler {
 public:
  // The endpoint listens; it and the others outlive the lane. `snapshots` writes its files.
  Lane(Endpoint& endpoint, Clock& clock, FileSystem& fs, SnapshotWriter& snapshots,
       const LaneOptions& options);
  ~Lane() override;

  // Answers what has arrived, waiting up to `timeout` for the first, and goes on with a snapshot
  // that is being written or read, for which it does not wait. True when there was anything to
  // answer.
  bool Poll(Duration timeout);

  // Counters, sizes and positions as of now.
  void Describe(LaneStatus* status) const;

 private:
  // A pull that the gate holds back.
  struct ParkedPull {
    ReplyAddress reply_to;
    Incarnation sender = 0;
    uint64_t step = 0;
    Tick tick = 0;
    Message message;
  };

  // What there is only after Configure.
  struct Services {
    Services(std::optional<uint32_t> max_staleness, PositionCheck check, BufferPool& pool,
             Clock& clock, FileSystem& fs, SnapshotWriter& snapshots, std::shared_ptr<Waker> waker,
             uint64_t memory_limit);
    LaneState state;
    TickGate gate;
    PullService pull;
    PushService push;
    SnapshotService snapshot;
    AdoptionService adoption;
    RowSweeper sweeper;
  };

  void OnRequest(Request& request) override;
  // Answers with a reply, or returns why not; a pull may also be parked.
  Status Handle(const Request& request);
  Status CheckSender(const Request& request) const;

  Status Configure(const Request& request);
  Status ConfigureFirst(const ConfigureRequest& config);
  Status ConfigureAnew(const ConfigureRequest& config);
  bool MustBeginAnew(const ConfigureRequest& config) const;
  // Nobody may wait under a view that is over.
  void RefuseParked(const Status& status);
  Status Pull(const Request& request);
  Status ServePull(const ReplyAddress& reply_to, Incarnation sender, const Message& message);
  Status Push(const Request& request);
  Status OpenPartition(const Request& request);
  Status SetMembers(const Request& request);
  Status LeaveClock(const Request& request);
  Status WriteSnapshot(const Request& request);
  Status Restore(const Request& request);
  Status Adopt(const Request& request);
  Status Explain(const Request& request);
  Status Echo(const Request& request);

  bool AdvanceAdoption();
  // Answers who asked for what takes long, once there is a result.
  template <typename Reply>
  void AnswerLate(const std::optional<StatusOr<Reply>>& result, std::optional<ReplyAddress>& asker);
  void Refuse(const ReplyAddress& to, const Status& status);
  Status Park(const Request& request);
  // What the news of a tick may bring: the end of a step, and answers to the parked pulls that may
  // go now, in the order they came.
  void OnTick();

  Clock& clock_;
  FileSystem& fs_;
  SnapshotWriter& snapshots_;
  const LaneOptions options_;
  RpcNode rpc_;
  std::string configuration_;  // the request's bytes; empty before Configure
  std::unique_ptr<Services> services_;
  std::vector<ParkedPull> parked_;
  std::optional<ReplyAddress> snapshot_asker_;  // of the file that is being written
  std::optional<ReplyAddress> adoption_asker_;  // of the shards that are being read
  // The next slice of a snapshot or of forgetting rows need not wait for anything.
  bool hurries_ = false;
  bool adopts_ = false;  // there are more slices of shards that come or went
  Time next_adoption_{};
  uint64_t refused_before_configure_ = 0;

  // Messages of the frequent methods, kept for their memory.
  PullRequest pull_request_;
  PullReply pull_reply_;
  PushRequest push_request_;
  PushReply push_reply_;
};

}  // namespace antiphon
