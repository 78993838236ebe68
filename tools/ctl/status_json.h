// Pieces of ps_ctl's JSON that several pages share. "schema" changes when a field changes its
// meaning or goes; fields may be added. Pure.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "proto/cluster.pb.h"

namespace antiphon {

inline constexpr int kStatusSchema = 1;

nlohmann::ordered_json MetricJson(const MetricLine& line);

// With a line end; what is not UTF-8 is replaced.
std::string DumpJson(const nlohmann::ordered_json& json);

}  // namespace antiphon
