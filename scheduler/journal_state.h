// Records of the journal that are no part of JournalRecord, see proto/journal_state.proto: all that
// leases and reports have come to, and what became of losses and moves.
//
// What leases and reports measured is in another one (scheduler/metrics_state.h). The members of
// LeaseBook, ClockGroup, SampleAgeLog and Conductor that save and load themselves are in
// journal_state.cc too, so that who adds to one of them finds the whole in one place. Pure.
#pragma once

#include <optional>

#include "common/base/status.h"
#include "proto/journal.pb.h"
#include "proto/journal_state.pb.h"

namespace antiphon {

// The other way round, see StateOf.
JournalRecord RecordOf(const JournalStateRecord& state);

// Nothing, if the record is one of those that JournalRecord has. kDataLoss: it is of a kind that
// nobody here knows.
StatusOr<std::optional<JournalStateRecord>> StateOf(const JournalRecord& record);

}  // namespace antiphon
