// What ps_ctl prints of a cluster, as text for people and as JSON for programs. Pure.
//
// JSON has "schema": 1, which changes when a field changes its meaning or goes; fields may be
// added.
#pragma once

#include <string>

#include "proto/cluster.pb.h"

namespace antiphon {

// Whether something needs a person: the job failed, a node is dead, nobody trains, snapshots fail,
// or a drift alarm is raised.
bool IsDegraded(const ClusterStatus& status);

std::string StatusText(const ClusterStatus& status, int64_t wall_seconds);
std::string StatusJson(const ClusterStatus& status);

// The open-ended partitions: how far each is and how far behind.
// Whether a stream waits for a broker that does not answer, or for a segment that is missing.
bool HasStreamAway(const ClusterStatus& status);
std::string StreamsText(const ClusterStatus& status, int64_t wall_seconds);
std::string StreamsJson(const ClusterStatus& status);

std::string TablesText(const ClusterStatus& status);
std::string TablesJson(const ClusterStatus& status);

// `key` as the user wrote it is not kept: it is shown decimal and hexadecimal.
std::string ExplainText(const std::string& table, uint64_t key, const ExplainReply& row,
                        int64_t wall_seconds);
std::string ExplainJson(const std::string& table, uint64_t key, const ExplainReply& row);

}  // namespace antiphon
