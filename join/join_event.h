// JoinEvent: what the joiner is told, and JoinedSample: what it answers. Plain values.
//
// The joiner looks into neither an impression's fields nor its features: they come out as they came
// in, so that a model trains on exactly what was served.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace antiphon {

// Before and after every event time.
inline constexpr int64_t kBeforeAllTime = std::numeric_limits<int64_t>::min();
inline constexpr int64_t kAfterAllTime = std::numeric_limits<int64_t>::max();

struct JoinEvent {
  std::string request;
  int64_t time_ms = 0;  // since 1970
  bool is_impression = false;
  std::string fields;  // of an impression: the whole record
  std::string kind;    // of feedback
  double value = 0;    // of feedback
};

struct JoinedSample {
  std::string request;
  int64_t known_until_ms = 0;                 // the labels say what happened until then
  std::string fields;                         // of the impression
  std::vector<std::optional<double>> labels;  // by column of the rules; nothing: not known
};

}  // namespace antiphon
