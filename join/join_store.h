// JoinStore: where a joiner keeps what must outlive it, and what memory does not hold.
//
// A sorted map of byte strings whose changes are committed all or nothing. Keys begin with one
// letter that says what they are:
//
//   p                     JoinProgress
//   i <request>           OpenImpressionState
//   t <time> <request>    when an open impression is due; 8 bytes, big-endian, then the request
//   o                     JoinOutbox
//   k                     KeptSamples
//   s <number>            KeptSample; 8 bytes, big-endian
//
// Owned by one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"

namespace antiphon {

struct StoreChange {
  std::string key;
  std::optional<std::string> value;  // nothing: the key goes
};

class JoinStore {
 public:
  virtual ~JoinStore() = default;

  virtual StatusOr<std::optional<std::string>> Get(const std::string& key) = 0;

  // Calls `visit` for the keys from `begin` on that start with `prefix`, ascending, until it
  // returns false.
  using Visit = std::function<bool(std::string_view key, std::string_view value)>;
  virtual Status Scan(const std::string& prefix, const std::string& begin, const Visit& visit) = 0;

  // Applies the changes in order. Once it has returned they survive a kill and a power cut; before,
  // either all of them do or none.
  virtual Status Commit(const std::vector<StoreChange>& changes) = 0;
};

std::string ProgressKey();
std::string ImpressionKey(std::string_view request);
std::string DueKey(int64_t due_ms, std::string_view request);
std::string OutboxKey();
std::string KeptSamplesKey();
std::string SampleKey(uint64_t number);

inline constexpr std::string_view kDuePrefix = "t";
inline constexpr std::string_view kSamplePrefix = "s";

// The inverse of DueKey; kDataLoss for anything else.
struct DueRequest {
  int64_t due_ms = 0;
  std::string request;
};
StatusOr<DueRequest> ParseDueKey(std::string_view key);

}  // namespace antiphon
