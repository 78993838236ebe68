// RowAdmission: whether an id that has no row and is seen in training gets one.
//
// By count: from its n-th sighting on; counts fade (server/sighting_counter.h), and ids that share
// counters may be let in early, none late. By chance: each time with the same probability, drawn
// from the table's seed, the id and the number of the push that the table waits for, so that a
// replay from a snapshot draws the same. By room: when the lane runs out of memory, fewer and
// fewer, then none. Owned by one RowTable and used on its lane's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "proto/row_policy.pb.h"
#include "server/sighting_counter.h"

namespace antiphon {

// What became of the ids that were seen without a row.
struct AdmissionCounts {
  uint64_t admitted = 0;
  uint64_t refused_by_count = 0;
  uint64_t refused_by_chance = 0;
  uint64_t refused_by_memory = 0;
};

class RowAdmission {
 public:
  // The policy passed CheckSchema.
  RowAdmission(const Admission& policy, uint64_t seed);

  // Counts a sighting of the id with this hash and decides. `push` is the table's push count.
  bool Admit(uint64_t hash, uint64_t push);

  // The share of the ids that it would admit otherwise: 1 for all, 0 for none.
  void set_room(double share) { room_ = share; }

  const AdmissionCounts& counts() const { return counts_; }
  // Null where the policy does not count.
  SightingCounter* sightings() const { return sightings_.get(); }
  uint64_t bytes() const { return sightings_ == nullptr ? 0 : sightings_->bytes().size(); }

 private:
  uint64_t seed_;
  uint32_t min_count_;
  double probability_;
  double room_ = 1;
  std::unique_ptr<SightingCounter> sightings_;
  AdmissionCounts counts_;
};

}  // namespace antiphon
