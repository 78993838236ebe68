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
  // Over the life of the servers: new ids that got a row, sightings that got none, rows forgotten.
  uint64_t admitted = 0;
  uint64_t refused_by_count = 0;
  uint64_t refused_by_chance = 0;
  uint64_t refused_by_memory = 0;
  uint64_t evicted_by_age = 0;
  uint64_t evicted_by_score = 0;
  uint64_t evicted_by_memory = 0;
};

inline void AddTo(TableSum& sum, const TableStatus& table) {
  sum.rows += table.rows();
  sum.bytes += table.bytes();
  sum.admitted += table.admitted_total();
  sum.refused_by_count += table.refused_by_count_total();
  sum.refused_by_chance += table.refused_by_chance_total();
  sum.refused_by_memory += table.refused_by_memory_total();
  sum.evicted_by_age += table.evicted_by_age_total();
  sum.evicted_by_score += table.evicted_by_score_total();
  sum.evicted_by_memory += table.evicted_by_memory_total();
}

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
          AddTo(sums[table.table()], table);
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
