#include "common/net/lane_peers.h"

#include <map>
#include <string>
#include <utility>

namespace antiphon {
namespace {

using Process = std::pair<Incarnation, std::string>;

Process ProcessOf(const LaneAddress& lane) {
  return {lane.incarnation(), lane.address()};
}

}  // namespace

Status LanePeers::Connect(const ClusterView& view) {
  std::map<Process, PeerId> leaving;
  for (size_t lane = 0; lane < ids_.size(); ++lane) {
    leaving[ProcessOf(view_.lanes(static_cast<int>(lane)))] = ids_[lane];
  }
  std::map<Process, PeerId> staying;
  for (const LaneAddress& lane : view.lanes()) {
    if (auto known = leaving.extract(ProcessOf(lane)); !known.empty()) {
      staying.insert(std::move(known));
    }
  }
  // First: a new process may listen where an old one did.
  for (const auto& [process, id] : leaving) {
    endpoint_.Disconnect(id);
  }
  view_ = view;
  ids_.clear();
  for (const LaneAddress& lane : view.lanes()) {
    if (const auto known = staying.find(ProcessOf(lane)); known != staying.end()) {
      ids_.push_back(known->second);
      continue;
    }
    AP_ASSIGN_OR_RETURN(const PeerId id, endpoint_.Connect(lane.address()));
    ids_.push_back(id);
  }
  return Status();
}

}  // namespace antiphon
