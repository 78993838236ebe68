#include "scheduler/lanes.h"

#include <algorithm>
#include <utility>

namespace antiphon {

Status Lanes::Connect(const ClusterView& view) {
  view_ = view;
  const Status status = peers_.Connect(view);
  return status.ok() ? status : status.WithContext(Name(static_cast<LaneId>(size())));
}

bool Lanes::HasShards(LaneId lane) const {
  return std::ranges::count(view_.lane_of_shard(), lane) > 0;
}

std::string Lanes::Name(LaneId lane) const {
  const LaneAddress& address = view_.lanes(static_cast<int>(lane));
  return "lane " + std::to_string(lane) + " (server " + std::to_string(address.server()) + ", " +
         address.address() + ")";
}

CallId Lanes::Call(LaneId lane, Method method, const google::protobuf::MessageLite& meta,
                   const CallOptions& options, ReplyHandler& handler) {
  return rpc_.Call(peers_.ids()[lane], method, meta, {}, options, handler);
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
