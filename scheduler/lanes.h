// Lanes: the scheduler's side of the conversation with the lanes.
//
// Lanes knows where each lane is and how to name it in an error. A LaneRound is one question to all
// of them at once. Both belong to the scheduler's thread; replies arrive during RpcNode::Poll.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "common/base/status.h"
#include "common/base/types.h"
#include "common/net/lane_peers.h"
#include "common/net/rpc.h"
#include "proto/cluster.pb.h"

namespace antiphon {

class Lanes {
 public:
  explicit Lanes(RpcNode& rpc) : rpc_(rpc), peers_(rpc.endpoint()) {}

  // From now on lanes are those of this view: connects to those that were not in the view before,
  // and takes leave of those that are not any more.
  Status Connect(const ClusterView& view);

  size_t size() const { return peers_.ids().size(); }
  // One of a server that has just joined has none.
  bool HasShards(LaneId lane) const;
  // "lane 3 (server 1, tcp://127.0.0.1:4001)"
  std::string Name(LaneId lane) const;
  CallId Call(LaneId lane, Method method, const google::protobuf::MessageLite& meta,
              const CallOptions& options, ReplyHandler& handler);
  void Cancel(CallId call) { rpc_.Cancel(call); }

 private:
  RpcNode& rpc_;
  ClusterView view_;
  LanePeers peers_;
};

// Over when every lane has answered well, or when one has not. What is still under way when the
// round goes out of scope is cancelled.
class LaneRound final : public ReplyHandler {
 public:
  LaneRound(Lanes& lanes, const CallOptions& options) : lanes_(lanes), options_(options) {}
  ~LaneRound() override;
  LaneRound(const LaneRound&) = delete;
  LaneRound& operator=(const LaneRound&) = delete;

  // Each lane is asked once.
  void Ask(LaneId lane, Method method, const google::protobuf::MessageLite& meta);

  bool over() const { return !status_.ok() || pending_.empty(); }
  // The first failure, with the lane's name.
  const Status& status() const { return status_; }
  // The reply of a lane, once the round is over and well; a reply that cannot be parsed is an
  // error.
  Status Read(LaneId lane, google::protobuf::MessageLite& reply) const;

  void OnReply(CallId call, const Status& status, const Message& reply) override;

 private:
  Lanes& lanes_;
  CallOptions options_;
  std::unordered_map<CallId, LaneId> pending_;
  std::unordered_map<LaneId, Message> replies_;
  Status status_;
};

}  // namespace antiphon
