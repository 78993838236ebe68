// What a server of scores says of the model that it serves: for people and ps_ctl as JSON, and for
// Prometheus. Pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "serving/live_model.h"

namespace antiphon {

// One object; `now_ms` is wall time since 1970.
std::string ServingHealth(const LiveReport& report, int64_t now_ms);

// Lines of Prometheus' text format.
std::string ServingMetrics(const LiveReport& report, int64_t now_ms);

}  // namespace antiphon
