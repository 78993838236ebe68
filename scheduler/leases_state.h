// All that leases and reports have come to, as one record of the journal. What they measured is in
// another one (scheduler/metrics_state.h).
//
// The record is no part of JournalRecord, see proto/journal_leases.proto. The members of LeaseBook,
// ClockGroup and Conductor that save and load themselves are in leases_state.cc too, so that who
// adds to one of them finds the whole in one place. Pure.
#pragma once

#include "common/base/status.h"
#include "proto/journal.pb.h"
#include "proto/journal_leases.pb.h"

namespace antiphon {

JournalRecord RecordOf(LeasesState leases);

// kDataLoss: the record is of a kind that nobody here knows.
StatusOr<LeasesState> LeasesOf(const JournalRecord& record);

}  // namespace antiphon
