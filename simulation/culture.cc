#include "simulation/culture.h"

#include <cmath>

#include "common/base/hash.h"

namespace antiphon {
namespace {

constexpr uint64_t kCultureStream = 1;

template <size_t N, size_t M>
std::array<std::array<float, N>, M> NormalTable(Rng& rng) {
  std::array<std::array<float, N>, M> table;
  for (std::array<float, N>& row : table) {
    row = NormalArray<N>(rng);
  }
  return table;
}

// A table whose columns have mean 0 and deviation 1 over its few rows, so that a seed with an
// unlucky draw is not a platform where the attribute says nothing.
template <size_t N, size_t M>
std::array<std::array<float, N>, M> StandardisedTable(Rng& rng) {
  std::array<std::array<float, N>, M> table = NormalTable<N, M>(rng);
  for (size_t column = 0; column < N; ++column) {
    double sum = 0;
    double squares = 0;
    for (const std::array<float, N>& row : table) {
      sum += row[column];
      squares += static_cast<double>(row[column]) * row[column];
    }
    const double mean = sum / M;
    const double deviation = std::sqrt(squares / M - mean * mean);
    for (std::array<float, N>& row : table) {
      row[column] = static_cast<float>((row[column] - mean) / deviation);
    }
  }
  return table;
}

}  // namespace

Culture::Culture(uint64_t seed) {
  Rng rng(Mix64(seed, kCultureStream));
  category_interests = StandardisedTable<kInterestDims, kCategoryCount>(rng);
  age_interests = StandardisedTable<kInterestDims, kAgeBandCount>(rng);
  city_interests = StandardisedTable<kInterestDims, kCityCount>(rng);
  age_propensity = StandardisedTable<kTaskCount, kAgeBandCount>(rng);
  city_propensity = StandardisedTable<kTaskCount, kCityCount>(rng);
  device_propensity = StandardisedTable<kTaskCount, kDeviceCount>(rng);
  level_appeal = StandardisedTable<kTaskCount, kLevelCount>(rng);
  category_appeal = StandardisedTable<kTaskCount, kCategoryCount>(rng);
  avatar_of_interests = NormalTable<kInterestDims, kVectorDims>(rng);
  text_of_interests = NormalTable<kInterestDims, kVectorDims>(rng);
}

ContentVector ApplyContentMap(const ContentMap& map, const Interests& interests) {
  ContentVector content{};
  for (size_t row = 0; row < map.size(); ++row) {
    double sum = 0;
    for (size_t column = 0; column < interests.size(); ++column) {
      sum += static_cast<double>(map[row][column]) * interests[column];
    }
    content[row] = static_cast<float>(sum / std::sqrt(static_cast<double>(kInterestDims)));
  }
  return content;
}

}  // namespace antiphon
