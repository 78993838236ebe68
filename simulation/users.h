// Users: the audience. A third of them arrive while the period runs.
//
// A pure function of culture, count and seed; frozen after construction.
#pragma once

#include <cstdint>
#include <vector>

#include "common/base/rng.h"
#include "simulation/culture.h"

namespace antiphon {

struct User {
  // What the samples show.
  uint32_t id = 0;  // by order of arrival, from 0
  int age_band = 0;
  int city = 0;
  int language = 0;
  int device = 0;
  int favourite = 0;  // the category declared at sign-up

  // What only the truth knows.
  double arrives_at = 0;  // progress of the period; 0 for those who were there before
  Interests interests{};
  TaskValues propensity{};
  ContentVector avatar_taste{};
  ContentVector text_taste{};
};

class Users {
 public:
  // `count` is at least 3.
  Users(int count, const Culture& culture, uint64_t seed);

  // Somebody who has arrived when `progress` of the period is over: active users more often.
  const User& Draw(double progress, Rng& rng) const;

  const std::vector<User>& all() const { return users_; }

 private:
  std::vector<User> users_;               // by arrival
  std::vector<double> activity_through_;  // running total of how active they are
};

}  // namespace antiphon
