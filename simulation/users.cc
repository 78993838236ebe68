#include "simulation/users.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "common/base/hash.h"

namespace antiphon {
namespace {

constexpr uint64_t kUserStream = 2;
constexpr double kNewShare = 1.0 / 3.0;
// Deviation of the logarithm of a user's activity.
constexpr double kActivitySpread = 0.6;

constexpr std::array<double, kLanguageCount> kLanguageShares = {0.45, 0.25, 0.18, 0.12};

// Shares of the variance: of interests and of propensity. Each list adds up to 1.
constexpr double kInterestOfFavourite = 0.60;
constexpr double kInterestOfAge = 0.20;
constexpr double kInterestOfCity = 0.10;
constexpr double kInterestOfOwn = 0.10;
constexpr double kPropensityOfAge = 0.40;
constexpr double kPropensityOfCity = 0.25;
constexpr double kPropensityOfDevice = 0.20;
constexpr double kPropensityOfOwn = 0.15;

template <size_t N>
int PickByShare(const std::array<double, N>& shares, Rng& rng) {
  double rest = rng.Uniform();
  for (size_t i = 0; i + 1 < N; ++i) {
    rest -= shares[i];
    if (rest < 0) {
      return static_cast<int>(i);
    }
  }
  return static_cast<int>(N) - 1;
}

int PickBelow(int n, Rng& rng) {
  return static_cast<int>(rng.Below(static_cast<uint64_t>(n)));
}

User MakeUser(uint32_t id, const Culture& culture, Rng& rng) {
  User user;
  user.id = id;
  user.age_band = PickBelow(kAgeBandCount, rng);
  user.city = PickBelow(kCityCount, rng);
  user.language = PickByShare(kLanguageShares, rng);
  user.device = PickBelow(kDeviceCount, rng);
  user.favourite = PickBelow(kCategoryCount, rng);
  const auto age = static_cast<size_t>(user.age_band);
  const auto city = static_cast<size_t>(user.city);
  const auto device = static_cast<size_t>(user.device);
  const auto favourite = static_cast<size_t>(user.favourite);

  AddScaled(std::sqrt(kInterestOfFavourite), culture.category_interests[favourite], user.interests);
  AddScaled(std::sqrt(kInterestOfAge), culture.age_interests[age], user.interests);
  AddScaled(std::sqrt(kInterestOfCity), culture.city_interests[city], user.interests);
  AddScaled(std::sqrt(kInterestOfOwn), NormalArray<kInterestDims>(rng), user.interests);

  AddScaled(std::sqrt(kPropensityOfAge), culture.age_propensity[age], user.propensity);
  AddScaled(std::sqrt(kPropensityOfCity), culture.city_propensity[city], user.propensity);
  AddScaled(std::sqrt(kPropensityOfDevice), culture.device_propensity[device], user.propensity);
  AddScaled(std::sqrt(kPropensityOfOwn), NormalArray<kTaskCount>(rng), user.propensity);

  user.avatar_taste = ApplyContentMap(culture.avatar_of_interests, user.interests);
  user.text_taste = ApplyContentMap(culture.text_of_interests, user.interests);
  return user;
}

}  // namespace

Users::Users(int count, const Culture& culture, uint64_t seed) {
  Rng rng(Mix64(seed, kUserStream));
  const auto newcomers = static_cast<size_t>(std::lround(count * kNewShare));
  std::vector<double> arrivals(static_cast<size_t>(count), 0.0);
  for (size_t i = arrivals.size() - newcomers; i < arrivals.size(); ++i) {
    arrivals[i] = rng.Uniform();
  }
  std::sort(arrivals.begin(), arrivals.end());

  double activity = 0;
  for (const double arrives_at : arrivals) {
    users_.push_back(MakeUser(static_cast<uint32_t>(users_.size()), culture, rng));
    users_.back().arrives_at = arrives_at;
    activity += std::exp(kActivitySpread * rng.Normal());
    activity_through_.push_back(activity);
  }
}

const User& Users::Draw(double progress, Rng& rng) const {
  const auto first_absent =
      std::upper_bound(users_.begin(), users_.end(), progress,
                       [](double now, const User& user) { return now < user.arrives_at; });
  const auto present = first_absent - users_.begin();
  const auto end = activity_through_.begin() + present;
  const double drawn = rng.Uniform() * *(end - 1);
  const auto chosen = std::min(std::upper_bound(activity_through_.begin(), end, drawn), end - 1);
  return users_[static_cast<size_t>(chosen - activity_through_.begin())];
}

}  // namespace antiphon
