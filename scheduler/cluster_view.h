// Which lanes a cluster has, where they listen, and which shards lie on them. Pure functions.
//
// A lane is the same one in two views when it has the same number among the lanes of the same slot;
// its LaneId may differ, because lanes are numbered through.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "common/base/types.h"
#include "proto/cluster.pb.h"
#include "scheduler/membership.h"

namespace antiphon {

// A job's first view of these servers: lanes of the first one first, shards spread over all lanes.
ClusterView FirstView(const std::vector<const Node*>& servers, uint64_t cluster_id, uint64_t epoch,
                      uint32_t shard_count);

// Where shards lie when a view follows another one.
enum class Placement {
  kKeep,     // where they were; lanes that are new have none
  kBalance,  // evenly, and as few as possible on other lanes than before
};

// The view after `before`, of these servers. With kKeep they have all slots of `before`.
ClusterView NextView(const ClusterView& before, const std::vector<const Node*>& servers,
                     uint64_t epoch, Placement placement);

// The shards that each lane has in `to` and not in `from`, by its number in `from`. Every lane of
// `to` is in `from`.
std::map<LaneId, std::vector<ShardId>> GainedShards(const ClusterView& from, const ClusterView& to);

// Whether all shards lie on the same lanes.
bool SamePlacement(const ClusterView& a, const ClusterView& b);

}  // namespace antiphon
