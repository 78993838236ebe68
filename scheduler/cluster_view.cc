#include "scheduler/cluster_view.h"

#include <string>
#include <utility>

#include "common/base/logging.h"
#include "common/cluster/shard_map.h"

namespace antiphon {
namespace {

// A lane's slot, and its number there.
using LaneName = std::pair<uint32_t, uint32_t>;

std::vector<LaneName> LaneNames(const ClusterView& view) {
  std::vector<LaneName> names;
  for (const LaneAddress& lane : view.lanes()) {
    const bool same_server = !names.empty() && names.back().first == lane.server();
    names.emplace_back(lane.server(), same_server ? names.back().second + 1 : 0);
  }
  return names;
}

// By name.
std::map<LaneName, LaneId> LaneIds(const ClusterView& view) {
  std::map<LaneName, LaneId> ids;
  for (const LaneName& name : LaneNames(view)) {
    ids.emplace(name, static_cast<LaneId>(ids.size()));
  }
  return ids;
}

ClusterView ViewOf(const std::vector<const Node*>& servers, uint64_t cluster_id, uint64_t epoch,
                   uint32_t shard_count) {
  ClusterView view;
  view.set_cluster_id(cluster_id);
  view.set_epoch(epoch);
  view.set_shard_count(shard_count);
  for (const Node* server : servers) {
    for (const std::string& address : server->lane_addresses) {
      LaneAddress& lane = *view.add_lanes();
      lane.set_address(address);
      lane.set_server(server->index);
      lane.set_incarnation(server->incarnation);
    }
  }
  return view;
}

void PlaceShards(const std::vector<LaneId>& lane_of_shard, ClusterView& view) {
  view.mutable_lane_of_shard()->Assign(lane_of_shard.begin(), lane_of_shard.end());
}

}  // namespace

ClusterView FirstView(const std::vector<const Node*>& servers, uint64_t cluster_id, uint64_t epoch,
                      uint32_t shard_count) {
  ClusterView view = ViewOf(servers, cluster_id, epoch, shard_count);
  PlaceShards(AssignShards(shard_count, static_cast<uint32_t>(view.lanes_size())), view);
  return view;
}

ClusterView NextView(const ClusterView& before, const std::vector<const Node*>& servers,
                     uint64_t epoch, Placement placement) {
  ClusterView view = ViewOf(servers, before.cluster_id(), epoch, before.shard_count());
  const std::vector<LaneName> names_before = LaneNames(before);
  const std::map<LaneName, LaneId> ids = LaneIds(view);
  std::vector<LaneId> lane_of_shard;
  for (const LaneId lane : before.lane_of_shard()) {
    const auto found = ids.find(names_before[lane]);
    CHECK(placement == Placement::kBalance || found != ids.end())
        << "the lanes of server " << names_before[lane].first << " have shards";
    lane_of_shard.push_back(found == ids.end() ? kNoLane : found->second);
  }
  if (placement == Placement::kBalance) {
    lane_of_shard =
        BalanceShards(std::move(lane_of_shard), static_cast<uint32_t>(view.lanes_size()));
  }
  PlaceShards(lane_of_shard, view);
  return view;
}

std::map<LaneId, std::vector<ShardId>> GainedShards(const ClusterView& from,
                                                    const ClusterView& to) {
  const std::map<LaneName, LaneId> ids = LaneIds(from);
  const std::vector<LaneName> names = LaneNames(to);
  std::map<LaneId, std::vector<ShardId>> gained;
  for (int shard = 0; shard < to.lane_of_shard_size(); ++shard) {
    const LaneId lane = ids.at(names[to.lane_of_shard(shard)]);
    if (lane != from.lane_of_shard(shard)) {
      gained[lane].push_back(static_cast<ShardId>(shard));
    }
  }
  return gained;
}

bool SamePlacement(const ClusterView& a, const ClusterView& b) {
  if (a.lane_of_shard_size() != b.lane_of_shard_size()) {
    return false;
  }
  const std::vector<LaneName> names_a = LaneNames(a);
  const std::vector<LaneName> names_b = LaneNames(b);
  for (int shard = 0; shard < a.lane_of_shard_size(); ++shard) {
    if (names_a[a.lane_of_shard(shard)] != names_b[b.lane_of_shard(shard)]) {
      return false;
    }
  }
  return true;
}

}  // namespace antiphon
