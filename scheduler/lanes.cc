#include "scheduler/lanes.h"

#include <algorithm>
#include <utility>

namespace antiphon {

Status Lanes::Connect(const ClusterView& view) {
  const ClusterView before = std::exchange(view_, view);
  for (int lane = 0; lane < view.lanes_size(); ++lane) {
    const auto index = static_cast<size_t>(lane);
    const bool was_there = index < peers_.size();
    if (was_there && before.lanes(lane).incarnation() == view.lanes(lane).incarnation()) {
      continue;
    }
    if (was_there) {
      rpc_.endpoint().Disconnect(peers_[index]);
    }
    auto peer = rpc_.endpoint().Connect(view.lanes(lane).address());
    if (!peer.ok()) {
      return peer.status().WithContext(Name(static_cast<LaneId>(lane)));
    }
    peers_.resize(std::max(peers_.size(), index + 1));
    peers_[index] = *peer;
  }
  return Status();
}

std::string Lanes::Name(LaneId lane) const {
  const LaneAddress& address = view_.lanes(static_cast<int>(lane));
  return "lane " + std::to_string(lane) + " (server " + std::to_string(address.server()) + ", " +
         address.address() + ")";
}

CallId Lanes::Call(LaneId lane, Method method, const google::protobuf::MessageLite& meta,
                   const CallOptions& options, ReplyHandler& handler) {
  return rpc_.Call(peers_[lane], method, meta, {}, options, handler);
}

LaneRound::~LaneRound() {
  for (const auto& [call, lane] : pending_) {
    lanes_.Cancel(call);
  }
}

void LaneRound::Ask(LaneId lane, Method method, const google::protobuf::MessageLite& meta) {
  pending_[lanes_.Call(lane, method, meta, options_, *this)] = lane;
}

Status LaneRound::Read(LaneId lane, google::protobuf::MessageLite& reply) const {
  return ParseMeta(replies_.at(lane), reply).WithContext(lanes_.Name(lane));
}

void LaneRound::OnReply(CallId call, const Status& status, const Message& reply) {
  const auto found = pending_.find(call);
  if (found == pending_.end()) {
    return;
  }
  const LaneId lane = found->second;
  pending_.erase(found);
  if (status.ok()) {
    replies_[lane] = reply;
  } else if (status_.ok()) {
    status_ = status.WithContext(lanes_.Name(lane));
  }
}

}  // namespace antiphon
