// What may be left out of a journal without changing what its replay ends in.
//
// Most of a journal is what workers measured, report by report, and all of that is in the sums that
// the scheduler has now: one record with the sums takes its place. Of the reports of one lease only
// the last says anything that the ones before it do not. Only how old samples were that no snapshot
// has yet is in no sum (scheduler/sample_age_log.h): the last report of their lease gets these ages
// too, as they were when it came. Everything else stays, in its order: a lease is given by rules
// whose outcome depends on all leases before it. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "proto/journal.pb.h"
#include "proto/metrics_state.pb.h"

namespace antiphon {

// `measured` is what the metrics board knows after the last of the records; it is told last, so
// what the reports before it say again counts once. The ages of records from before
// `ages_since_seconds`, a wall time, are in a snapshot.
std::vector<JournalRecord> ThinOut(std::vector<JournalRecord> records, MetricsState measured,
                                   int64_t ages_since_seconds);

}  // namespace antiphon
