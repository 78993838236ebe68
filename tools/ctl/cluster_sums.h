// Sums over the lanes of a cluster, as text and JSON both need them. Pure.
#pragma once

#include <string>
#include <vector>

#include "proto/cluster.pb.h"

namespace antiphon {

struct TableSum {
  std::string name;
  uint32_t dim = 0;
  uint64_t rows = 0;
  uint64_t bytes = 0;
};

inline std::vector<TableSum> SumTables(const ClusterStatus& status) {
  std::vector<TableSum> sums(static_cast<size_t>(status.table_names_size()));
  for (int i = 0; i < status.table_names_size(); ++i) {
    sums[static_cast<size_t>(i)].name = status.table_names(i);
    sums[static_cast<size_t>(i)].dim = i < status.table_dims_size() ? status.table_dims(i) : 0;
  }
  for (const NodeStatus& node : status.nodes()) {
    for (const LaneStatus& lane : node.lanes()) {
      for (const TableStatus& table : lane.tables()) {
        if (table.table() < sums.size()) {
          sums[table.table()].rows += table.rows();
          sums[table.table()].bytes += table.bytes();
        }
      }
    }
  }
  return sums;
}

inline uint64_t RowsOf(const LaneStatus& lane) {
  uint64_t rows = 0;
  for (const TableStatus& table : lane.tables()) {
    rows += table.rows();
  }
  return rows;
}

inline uint32_t ShardsOf(const ClusterView& view, uint32_t lane) {
  uint32_t shards = 0;
  for (const uint32_t owner : view.lane_of_shard()) {
    shards += owner == lane ? 1 : 0;
  }
  return shards;
}

inline const char* HealthName(NodeStatus::Health health) {
  switch (health) {
    case NodeStatus::ALIVE:
      return "alive";
    case NodeStatus::DEAD:
      return "dead";
    case NodeStatus::LEFT:
      return "left";
  }
  return "unknown";
}

inline const char* RoleName(Role role) {
  return role == ROLE_SERVER ? "server" : role == ROLE_WORKER ? "worker" : "control";
}

}  // namespace antiphon
