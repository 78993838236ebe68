// CtlClient: ps_ctl's conversation with the scheduler and the lanes, one question at a time.
//
// Owned by one thread; Ask waits.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "common/base/types.h"
#include "common/net/rpc.h"
#include "common/net/transport.h"
#include "proto/cluster.pb.h"

namespace antiphon {

class CtlClient final : private ReplyHandler {
 public:
  // Says hello to the scheduler. kUnavailable when it does not answer within `patience`; the same
  // from Ask when it falls silent for five times as long while its answer is waited for: it may be
  // started again meanwhile.
  static StatusOr<std::unique_ptr<CtlClient>> Connect(Transport& transport, Clock& clock,
                                                      const std::string& scheduler,
                                                      Incarnation incarnation, Duration patience);

  // Asks the scheduler, with `frames` behind the message. kDeadlineExceeded when the answer takes
  // longer than `deadline`.
  template <typename Reply>
  StatusOr<Reply> Ask(Method method, const google::protobuf::MessageLite& request,
                      Duration deadline, std::span<const Buffer> frames = {}) {
    return AskPeer<Reply>(scheduler_, method, request, frames, deadline);
  }

  // What came with the last answer besides its message: the bytes of its first bulk frame, valid
  // until the next question; none when it had no such frame.
  std::span<const std::byte> bulk() const {
    return reply_.bulk().empty() ? std::span<const std::byte>() : reply_.bulk().front().bytes();
  }

  // Asks a lane of `view`.
  template <typename Reply>
  StatusOr<Reply> AskLane(const ClusterView& view, LaneId lane, Method method,
                          const google::protobuf::MessageLite& request, Duration deadline) {
    rpc_.SetCluster(view.cluster_id(), view.epoch());
    AP_ASSIGN_OR_RETURN(const PeerId peer,
                        endpoint_->Connect(view.lanes(static_cast<int>(lane)).address()));
    return AskPeer<Reply>(peer, method, request, {}, deadline);
  }

 private:
  CtlClient(std::unique_ptr<Endpoint> endpoint, Clock& clock, Incarnation incarnation,
            Duration patience);

  template <typename Reply>
  StatusOr<Reply> AskPeer(PeerId peer, Method method, const google::protobuf::MessageLite& request,
                          std::span<const Buffer> frames, Duration deadline) {
    Reply reply;
    AP_RETURN_IF_ERROR(Call(peer, method, request, frames, deadline, reply));
    return reply;
  }
  Status Call(PeerId peer, Method method, const google::protobuf::MessageLite& request,
              std::span<const Buffer> frames, Duration deadline,
              google::protobuf::MessageLite& reply);
  Status WaitFor(CallId call, bool of_scheduler);
  void OnReply(CallId call, const Status& status, const Message& reply) override;

  Clock& clock_;
  const Duration patience_;
  std::unique_ptr<Endpoint> endpoint_;
  RpcNode rpc_;
  PeerId scheduler_ = 0;
  std::optional<Status> status_;  // of the call that ended last
  Message reply_;
};

}  // namespace antiphon
