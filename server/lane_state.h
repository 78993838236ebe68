// LaneState: what the services of a configured lane share. Owned by the Lane, on its thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "server/lane_store.h"
#include "server/position_ledger.h"
#include "server/step_handles.h"

namespace antiphon {

struct LaneCounters {
  uint64_t pulls = 0;
  uint64_t pushes = 0;  // applied
  uint64_t duplicate_pushes = 0;
  uint64_t refused = 0;  // requests of any kind
  uint64_t pulled_keys = 0;
  uint64_t pushed_keys = 0;
};

struct LaneState {
  std::unique_ptr<LaneStore> store;
  PositionLedger ledger;
  StepHandles<std::byte*> handles;
  LaneCounters counters;
};

}  // namespace antiphon
