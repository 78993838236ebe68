// What may be left out of a journal without changing what its replay ends in.
//
// Most of a journal is what workers measured, report by report, and all of that is in the sums that
// the scheduler has now: one record with the sums takes its place. Of the reports of one lease only
// the last says anything that the ones before it do not. Everything else stays, in its order: a
// lease is given by rules whose outcome depends on all leases before it. Pure.
#pragma once

#include <vector>

#include "proto/journal.pb.h"
#include "proto/metrics_state.pb.h"

namespace antiphon {

// `measured` is what the metrics board knows after the last of the records.
std::vector<JournalRecord> ThinOut(std::vector<JournalRecord> records, MetricsState measured);

}  // namespace antiphon
