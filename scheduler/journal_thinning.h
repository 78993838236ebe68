// What may be left out of a journal without changing what its replay ends in.
//
// Nearly all of a journal are leases and reports, and all that they come to is in the sums that the
// scheduler has now: two records with the sums take their place (Conductor::Sums). Of snapshots
// only the last ones are ever gone back to. What stays is who registered and left, the plan and the
// views, in their order: as much as happened to the cluster, however long it trains. Pure.
#pragma once

#include <cstddef>
#include <vector>

#include "proto/journal.pb.h"

namespace antiphon {

// As many as ClusterKeeper knows of.
inline constexpr size_t kSnapshotsInJournal = 8;

// `sums` is what the scheduler knows after the last of the records.
std::vector<JournalRecord> ThinOut(std::vector<JournalRecord> records,
                                   std::vector<JournalRecord> sums);

}  // namespace antiphon
