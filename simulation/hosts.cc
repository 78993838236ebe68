#include "simulation/hosts.h"

#include <cmath>

#include "common/base/hash.h"

namespace antiphon {
namespace {

constexpr uint64_t kHostStream = 3;
constexpr uint64_t kCharacterStream = 10;

// Shares of the variance: of interests, of appeal and of a content vector. Each adds up to 1.
constexpr double kInterestOfCategory = 0.80;
constexpr double kInterestOfOwn = 0.20;
constexpr double kAppealOfLevel = 0.45;
constexpr double kAppealOfCategory = 0.20;
constexpr double kAppealOfOwn = 0.35;
constexpr double kContentOfInterests = 0.25;
constexpr double kContentOfOwn = 0.75;

constexpr double kPopularitySpread = 0.5;  // deviation of the logarithm
constexpr double kFansLogMean = 7.0;       // fans tell about the appeal for clicks, with noise
constexpr double kFansOfAppeal = 1.2;
constexpr double kFansOfOwn = 0.6;

float ToHundredths(float value) {
  return std::round(value * 100.0F) / 100.0F;
}

ContentVector MakeContent(const ContentMap& map, const Interests& interests, Rng& rng) {
  ContentVector content{};
  AddScaled(std::sqrt(kContentOfInterests), ApplyContentMap(map, interests), content);
  AddScaled(std::sqrt(kContentOfOwn), NormalArray<kVectorDims>(rng), content);
  for (float& value : content) {
    value = ToHundredths(value);
  }
  return content;
}

int PickBelow(int n, Rng& rng) {
  return static_cast<int>(rng.Below(static_cast<uint64_t>(n)));
}

Host MakeHost(uint32_t id, const PlatformOptions& options, const Culture& culture, Rng& rng) {
  Host host;
  host.id = id;
  host.category = PickBelow(kCategoryCount, rng);
  host.level = PickBelow(kLevelCount, rng);
  host.language = PickBelow(kLanguageCount, rng);
  const auto category = static_cast<size_t>(host.category);

  AddScaled(std::sqrt(kInterestOfCategory), culture.category_interests[category], host.interests);
  AddScaled(std::sqrt(kInterestOfOwn), NormalArray<kInterestDims>(rng), host.interests);

  AddScaled(std::sqrt(kAppealOfLevel), culture.level_appeal[static_cast<size_t>(host.level)],
            host.appeal);
  AddScaled(std::sqrt(kAppealOfCategory), culture.category_appeal[category], host.appeal);
  AddScaled(std::sqrt(kAppealOfOwn), NormalArray<kTaskCount>(rng), host.appeal);
  host.trend = NormalArray<kTaskCount>(rng);

  for (int i = 0; i < options.avatars; ++i) {
    host.avatars.push_back(MakeContent(culture.avatar_of_interests, host.interests, rng));
  }
  for (int i = 0; i < options.texts; ++i) {
    host.texts.push_back(MakeContent(culture.text_of_interests, host.interests, rng));
  }
  host.popularity = static_cast<float>(std::exp(kPopularitySpread * rng.Normal()));
  const double log_fans = kFansLogMean +
                          kFansOfAppeal * host.appeal[static_cast<size_t>(Task::kClick)] +
                          kFansOfOwn * rng.Normal();
  host.fans = std::llround(std::exp(log_fans));
  return host;
}

}  // namespace

std::vector<Host> MakeHosts(const PlatformOptions& options, const Culture& culture) {
  Rng rng(Mix64(options.seed, kHostStream));
  Rng character_rng(Mix64(options.seed, kCharacterStream));
  std::vector<Host> hosts;
  hosts.reserve(static_cast<size_t>(options.hosts));
  for (int i = 0; i < options.hosts; ++i) {
    hosts.push_back(MakeHost(static_cast<uint32_t>(i), options, culture, rng));
    hosts.back().character = NormalArray<kTaskCount>(character_rng);
  }
  return hosts;
}

}  // namespace antiphon
