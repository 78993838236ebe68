// The project's hashes. Their values are frozen: they decide which shard owns a key, how a new row
// starts and which id a feature value gets, so a snapshot outlives every release.
#pragma once

#include <cstdint>
#include <string_view>

namespace antiphon {

// A bijection of 64 bits that looks random (the finaliser of SplitMix64, Steele et al. 2014).
constexpr uint64_t Mix64(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

// Two words to one.
constexpr uint64_t Mix64(uint64_t a, uint64_t b) {
  return Mix64(Mix64(a + 0x9e3779b97f4a7c15ULL) ^ b);
}

// Maps a uniform 64-bit hash to [0, n) by its high bits, without a division.
constexpr uint64_t ReduceRange(uint64_t hash, uint64_t n) {
  return static_cast<uint64_t>((static_cast<unsigned __int128>(hash) * n) >> 64);
}

// XXH3 of the bytes (stable since xxHash 0.8.0).
uint64_t HashBytes(std::string_view bytes, uint64_t seed = 0);

// The id of a categorical value: a 64-bit mix of the feature's name and the value's bytes.
uint64_t FeatureHash(std::string_view feature, std::string_view value);

}  // namespace antiphon
