// The answer to ps_ctl's status: the whole cluster as one message. Pure functions of the
// scheduler's state.
#pragma once

#include "common/base/clock.h"
#include "proto/cluster.pb.h"
#include "scheduler/conductor.h"
#include "scheduler/job_view.h"

namespace antiphon {

// "BSP", "SSP(3)" or "ASP".
std::string ConsistencyName(const TrainingPlan& plan);

// Fills in nodes, leases, tables and metrics; the caller adds what only it knows (view, uptime,
// snapshots).
ClusterStatus StatusOf(const Conductor& job, const JobView& view, const StatusRequest& request,
                       int64_t wall_seconds, Time now);

}  // namespace antiphon
