// SchedulerLink: what every server and worker owes the scheduler: it registers, sends heartbeats,
// and learns from the answers when the job is over.
//
// It has no thread: Poll does what is due. A scheduler that is silent for too long, or that refuses
// us, ends the link with a status that names it. What a scheduler says that another one has come
// after is as if it had not been said. Owned by one thread together with its endpoint.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "common/base/types.h"
#include "common/net/rpc.h"
#include "common/net/transport.h"
#include "proto/cluster.pb.h"

namespace antiphon {

struct SchedulerLinkOptions {
  std::string scheduler_address;
  Incarnation incarnation = 0;
  RegisterRequest registration;
  // How long the first answer may take: processes start in any order.
  Duration register_timeout = std::chrono::seconds(30);
  // A scheduler that was silent for this long is gone; long enough for one to be started again.
  Duration scheduler_timeout = std::chrono::seconds(60);
};

class SchedulerLink final : private ReplyHandler {
 public:
  // `fill` adds what this role reports to a heartbeat whose role and node are set.
  using FillHeartbeat = std::function<void(HeartbeatRequest& request)>;

  SchedulerLink(Endpoint& endpoint, Clock& clock, SchedulerLinkOptions options, FillHeartbeat fill);

  // Sends what is due and waits up to `timeout` for an answer. Does nothing more once ended.
  void Poll(Duration timeout);

  // Tells the scheduler that this node goes, so that nobody waits for its silence to be noticed,
  // and waits up to `patience` for the answer. Does nothing unless registered; the link has then
  // ended.
  void Leave(const std::string& reason, Duration patience);

  bool registered() const { return registered_; }
  // Only once registered.
  const RegisterReply& registration() const { return registration_; }
  JobState job_state() const { return job_state_; }
  // Of the newest view that the scheduler has ready; 0: none yet.
  uint64_t view_epoch() const { return view_epoch_; }
  // The scheduler wants this node to leave, and can do without it.
  bool may_leave() const { return may_leave_; }

  bool ended() const { return ended_; }
  // Only once ended: Ok when the job finished or was stopped, otherwise why it failed or why the
  // scheduler is lost; kCancelled after Leave.
  const Status& result() const { return result_; }

 private:
  void OnReply(CallId call, const Status& status, const Message& reply) override;
  void SendRegistration();
  void SendHeartbeat();
  HeartbeatRequest NextHeartbeat() const;
  void OnRegistered(const Message& reply);
  void OnHeartbeat(const Message& message);
  void OnSilence(const Status& status);
  Status CheckNotOutranked(uint64_t scheduler_epoch);
  void End(const Status& result);
  bool IsTransient(const Status& status) const;

  Clock& clock_;
  const SchedulerLinkOptions options_;
  FillHeartbeat fill_;
  RpcNode rpc_;
  PeerId scheduler_ = 0;
  bool registered_ = false;
  bool call_in_flight_ = false;
  std::optional<CallId> farewell_;
  Time last_heard_;
  Time next_call_at_;
  RegisterReply registration_;
  JobState job_state_ = JOB_WAITING;
  uint64_t view_epoch_ = 0;
  uint64_t scheduler_epoch_ = 0;  // the highest that was heard
  Status outranked_;              // why what was heard last counts for nothing; Ok: it counts
  bool may_leave_ = false;
  bool ended_ = false;
  Status result_;
};

}  // namespace antiphon
