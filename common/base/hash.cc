#include "common/base/hash.h"

#include <xxhash.h>

namespace antiphon {

uint64_t HashBytes(std::string_view bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

uint64_t FeatureHash(std::string_view feature, std::string_view value) {
  return HashBytes(value, HashBytes(feature));
}

}  // namespace antiphon
