// Which version a sink, or a receiver, stands at.
#pragma once

#include <cstdint>
#include <string>

namespace antiphon {

struct VersionPosition {
  std::string model_id;  // as in the signature
  uint64_t version = 0;
  std::string digest;  // XXH3-64 of its signature.json, 16 hexadecimal digits

  friend bool operator==(const VersionPosition&, const VersionPosition&) = default;
};

}  // namespace antiphon
