// Why a key of a step has no row any more. The first three are training's own, as in the tombstones
// of a snapshot (docs/snapshot.md); the last is the exporter's.
#pragma once

#include <cstdint>
#include <string_view>

#include "common/base/types.h"

namespace antiphon {

// Numbers are part of the format.
enum class TombstoneReason : uint8_t {
  kAge = 1,       // no push had it for too long
  kScore = 2,     // too few shows and clicks
  kMemory = 3,    // the servers had no room for all
  kFiltered = 4,  // training has the row, serving leaves it out: its score fell below min_score
};
inline constexpr uint8_t kTombstoneReasons = 4;

// "age", "score", "memory" or "filtered".
std::string_view TombstoneReasonName(TombstoneReason reason);

struct ServedTombstone {
  Key key = 0;
  TombstoneReason reason = TombstoneReason::kAge;

  friend bool operator==(const ServedTombstone&, const ServedTombstone&) = default;
};

}  // namespace antiphon
