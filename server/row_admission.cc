#include "server/row_admission.h"

#include "common/base/hash.h"

namespace antiphon {

namespace {

// Two independent draws for one id and push.
constexpr uint64_t kChanceStream = 0x6368616e6365;
constexpr uint64_t kRoomStream = 0x726f6f6d;

double Draw(uint64_t seed, uint64_t stream, uint64_t hash, uint64_t push) {
  return static_cast<double>(Mix64(Mix64(seed ^ stream, hash), push) >> 11) * 0x1p-53;
}

}  // namespace

RowAdmission::RowAdmission(const Admission& policy, uint64_t seed)
    : seed_(seed), min_count_(policy.min_count()), probability_(policy.probability()) {
  if (min_count_ > 1) {
    sightings_ = std::make_unique<SightingCounter>(policy.halve_after());
  }
}

bool RowAdmission::Admit(uint64_t hash, uint64_t push) {
  // Every sighting counts, also one that something else refuses.
  if (sightings_ != nullptr && sightings_->Add(hash) < min_count_) {
    ++counts_.refused_by_count;
    return false;
  }
  if (probability_ < 1 && Draw(seed_, kChanceStream, hash, push) >= probability_) {
    ++counts_.refused_by_chance;
    return false;
  }
  if (room_ < 1 && Draw(seed_, kRoomStream, hash, push) >= room_) {
    ++counts_.refused_by_memory;
    return false;
  }
  ++counts_.admitted;
  return true;
}

}  // namespace antiphon
