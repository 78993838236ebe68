#include "simulation/platform.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <set>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace antiphon {
namespace {

constexpr RequestStream kStream = {.first_request_id = 0, .requests = 20000};

std::unique_ptr<Platform> MakePlatform(uint64_t seed) {
  StatusOr<std::unique_ptr<Platform>> platform =
      Platform::Create({.seed = seed, .days = 4, .users = 900, .hosts = 120});
  CHECK(platform.ok()) << platform.status();
  return std::move(platform).value();
}

std::vector<Impression> DrawAll(const Platform& platform, const RequestStream& stream) {
  std::vector<Impression> all;
  std::vector<Impression> request;
  for (int64_t i = 0; i < stream.requests; ++i) {
    platform.DrawRequest(stream, i, request);
    all.insert(all.end(), request.begin(), request.end());
  }
  return all;
}

// Everything that a reader of samples could see or the truth says.
bool Same(const Impression& a, const Impression& b) {
  return a.request_id == b.request_id && a.showing.user->id == b.showing.user->id &&
         a.showing.host->id == b.showing.host->id && a.showing.avatar == b.showing.avatar &&
         a.showing.text == b.showing.text && a.showing.scene == b.showing.scene &&
         a.showing.moment.time_ms == b.showing.moment.time_ms && a.labels == b.labels &&
         a.chances.click == b.chances.click && a.chances.after_click == b.chances.after_click;
}

TEST(PlatformTest, EqualOptionsGiveEqualImpressions) {
  // Impressions point into their platform, which must live as long as they do.
  const auto platform = MakePlatform(7);
  const auto same_platform = MakePlatform(7);
  const std::vector<Impression> once = DrawAll(*platform, {.requests = 200});
  const std::vector<Impression> again = DrawAll(*same_platform, {.requests = 200});

  ASSERT_EQ(once.size(), again.size());
  for (size_t i = 0; i < once.size(); ++i) {
    EXPECT_EQ(once[i].showing.host->avatars, again[i].showing.host->avatars);
    EXPECT_TRUE(Same(once[i], again[i])) << "impression " << i;
  }
}

TEST(PlatformTest, AnotherSeedIsAnotherPlatform) {
  const auto platform = MakePlatform(1);
  const auto other_platform = MakePlatform(2);
  const std::vector<Impression> one = DrawAll(*platform, {.requests = 200});
  const std::vector<Impression> other = DrawAll(*other_platform, {.requests = 200});

  size_t same = 0;
  for (size_t i = 0; i < one.size(); ++i) {
    same += Same(one[i], other[i]) ? 1 : 0;
  }

  EXPECT_EQ(same, 0U);
}

TEST(PlatformTest, RequestsCanBeDrawnInAnyOrder) {
  const std::unique_ptr<Platform> platform = MakePlatform(3);
  std::vector<Impression> alone;
  platform->DrawRequest(kStream, 150, alone);

  const std::vector<Impression> in_order = DrawAll(*platform, kStream);

  for (size_t i = 0; i < alone.size(); ++i) {
    EXPECT_TRUE(Same(alone[i], in_order[150 * kImpressionsPerRequest + i]));
  }
}

TEST(PlatformTest, RatesAreNearTheirTargets) {
  const std::unique_ptr<Platform> platform = MakePlatform(4);
  // The mean of the true probabilities, not of the labels: it has little noise.
  double samples[kSceneCount] = {};
  double clicks[kSceneCount] = {};
  double after_click[kSceneCount][kTaskCount] = {};
  for (const Impression& impression : DrawAll(*platform, kStream)) {
    const auto scene = static_cast<size_t>(impression.showing.scene);
    samples[scene] += 1;
    clicks[scene] += impression.chances.click;
    for (const Task task : kTasks) {
      after_click[scene][static_cast<size_t>(task)] += impression.chances.Of(task);
    }
  }

  for (const Scene scene : kScenes) {
    const auto s = static_cast<size_t>(scene);
    const double click_target = TargetRate(Task::kClick, scene);
    EXPECT_NEAR(clicks[s] / samples[s], click_target, 0.1 * click_target) << SceneName(scene);
    for (const Task task : {Task::kLongWatch, Task::kGift, Task::kComment, Task::kFollow}) {
      const double target = TargetRate(task, scene);
      const double rate = after_click[s][static_cast<size_t>(task)] / clicks[s];
      EXPECT_NEAR(rate, target, 0.15 * target) << TaskName(task) << " in " << SceneName(scene);
    }
  }
}

TEST(PlatformTest, LabelsFollowTheirProbabilities) {
  const std::unique_ptr<Platform> platform = MakePlatform(5);
  double expected[kTaskCount] = {};
  double drawn[kTaskCount] = {};
  for (const Impression& impression : DrawAll(*platform, kStream)) {
    for (const Task task : kTasks) {
      expected[static_cast<size_t>(task)] += impression.chances.Of(task);
      drawn[static_cast<size_t>(task)] += impression.labels[static_cast<size_t>(task)] ? 1 : 0;
    }
  }

  for (const Task task : kTasks) {
    const auto t = static_cast<size_t>(task);
    EXPECT_NEAR(drawn[t], expected[t], 4 * std::sqrt(expected[t])) << TaskName(task);
  }
}

TEST(PlatformTest, NothingHappensWithoutAClick) {
  const std::unique_ptr<Platform> platform = MakePlatform(6);

  for (const Impression& impression : DrawAll(*platform, kStream)) {
    if (!impression.labels[static_cast<size_t>(Task::kClick)]) {
      EXPECT_THAT(impression.labels, testing::Each(false));
    }
  }
}

TEST(PlatformTest, PlaylistAppearsHalfWay) {
  const std::unique_ptr<Platform> platform = MakePlatform(7);
  double first = 1;
  double seen_after = 0;
  double all_after = 0;
  for (const Impression& impression : DrawAll(*platform, kStream)) {
    const double progress = impression.showing.moment.progress;
    const bool playlist = impression.showing.scene == Scene::kPlaylist;
    first = playlist ? std::min(first, progress) : first;
    all_after += progress >= 0.5 ? 1 : 0;
    seen_after += playlist ? 1 : 0;
  }

  EXPECT_GE(first, 0.5);
  EXPECT_LT(first, 0.51);
  EXPECT_NEAR(seen_after / all_after, 0.15, 0.02);
}

TEST(PlatformTest, AThirdOfThoseWhoAppearIsNew) {
  const std::unique_ptr<Platform> platform = MakePlatform(8);
  std::set<uint32_t> users;
  std::set<uint32_t> newcomers;
  for (const Impression& impression : DrawAll(*platform, kStream)) {
    const User& user = *impression.showing.user;
    EXPECT_GE(impression.showing.moment.progress, user.arrives_at) << "user " << user.id;
    users.insert(user.id);
    if (user.arrives_at > 0) {
      newcomers.insert(user.id);
    }
  }

  const double share = static_cast<double>(newcomers.size()) / static_cast<double>(users.size());
  EXPECT_NEAR(share, 1.0 / 3, 0.03);
}

TEST(PlatformTest, HostsOffAirAreNeverShown) {
  const std::unique_ptr<Platform> platform = MakePlatform(9);

  for (const Impression& impression : DrawAll(*platform, kStream)) {
    const Showing& showing = impression.showing;
    ASSERT_TRUE(platform->schedule().IsOnAir(showing.host->id, showing.moment.slot))
        << "host " << showing.host->id << " in slot " << showing.moment.slot;
  }
}

TEST(PlatformTest, ARequestShowsDifferentHosts) {
  const std::unique_ptr<Platform> platform = MakePlatform(10);
  std::vector<Impression> request;
  int64_t repeated = 0;
  for (int64_t i = 0; i < 2000; ++i) {
    platform->DrawRequest({.requests = 2000}, i, request);
    std::set<uint32_t> hosts;
    for (const Impression& impression : request) {
      hosts.insert(impression.showing.host->id);
      EXPECT_EQ(impression.showing.user, request.front().showing.user);
    }
    const int slot = request.front().showing.moment.slot;
    if (platform->schedule().OnAir(slot).size() > 2 * kImpressionsPerRequest) {
      repeated += hosts.size() < request.size() ? 1 : 0;
    }
  }

  EXPECT_EQ(repeated, 0);
}

TEST(PlatformTest, TimeNeverGoesBack) {
  const std::unique_ptr<Platform> platform = MakePlatform(11);
  int64_t last_ms = 0;
  for (const Impression& impression : DrawAll(*platform, kStream)) {
    ASSERT_GE(impression.showing.moment.time_ms, last_ms);
    last_ms = impression.showing.moment.time_ms;
  }
}

TEST(PlatformTest, TheAvatarChangesTheChanceOfAClick) {
  const std::unique_ptr<Platform> platform = MakePlatform(12);
  double best_over_worst = 0;
  int64_t showings = 0;
  for (const Impression& impression : DrawAll(*platform, {.requests = 500})) {
    Showing showing = impression.showing;
    double best = 0;
    double worst = 1;
    for (showing.avatar = 0; showing.avatar < 4; ++showing.avatar) {
      const double click = platform->truth().ChancesOf(showing).click;
      best = std::max(best, click);
      worst = std::min(worst, click);
    }
    best_over_worst += best / worst;
    ++showings;
  }

  EXPECT_GT(best_over_worst / static_cast<double>(showings), 1.5);
}

TEST(PlatformTest, HarmonyIsOfThePairAndOfTheClickAlone) {
  const auto plain = Platform::Create({.seed = 13, .days = 4, .avatars = 3, .texts = 2});
  const auto harmonic =
      Platform::Create({.seed = 13, .days = 4, .avatars = 3, .texts = 2, .harmony = 0.5});
  ASSERT_TRUE(plain.ok() && harmonic.ok());
  std::vector<Impression> request;
  (*plain)->DrawRequest(kStream, 5, request);
  const Showing& drawn = request[0].showing;
  ASSERT_EQ(drawn.host->avatars.size(), 3U);
  ASSERT_EQ(drawn.host->texts.size(), 2U);
  // What text and avatar add together and not each by itself: 0 without harmony.
  const auto interaction = [&drawn](const Platform& platform, Task task) {
    const auto logit = [&](int avatar, int text) {
      Showing showing = drawn;
      showing.avatar = avatar;
      showing.text = text;
      return platform.truth().Logits(showing)[static_cast<size_t>(task)];
    };
    return logit(0, 0) - logit(0, 1) - logit(1, 0) + logit(1, 1);
  };

  EXPECT_NEAR(interaction(**plain, Task::kClick), 0, 1e-9);
  EXPECT_GT(std::abs(interaction(**harmonic, Task::kClick)), 0.01);
  EXPECT_NEAR(interaction(**harmonic, Task::kGift), 0, 1e-9);
}

TEST(PlatformTest, CharacterIsOfTheHostAndNotOfTheClick) {
  const auto plain = Platform::Create({.seed = 14, .days = 4});
  const auto diverse = Platform::Create({.seed = 14, .days = 4, .character = 2});
  ASSERT_TRUE(plain.ok() && diverse.ok());
  std::vector<Impression> request;
  (*plain)->DrawRequest(kStream, 5, request);
  const Showing& one = request[0].showing;
  const Showing& other = request[1].showing;
  ASSERT_NE(one.host, other.host);
  // How much more character divides the two hosts; what the scene's constant takes cancels.
  const auto divides = [&](Task task) {
    const auto t = static_cast<size_t>(task);
    const auto gain = [&](const Showing& showing) {
      return (*diverse)->truth().Logits(showing)[t] - (*plain)->truth().Logits(showing)[t];
    };
    return gain(one) - gain(other);
  };

  const auto gift = static_cast<size_t>(Task::kGift);
  EXPECT_NEAR(divides(Task::kClick), 0, 1e-9);
  EXPECT_NEAR(divides(Task::kGift), 2.0 * (one.host->character[gift] - other.host->character[gift]),
              1e-5);
  EXPECT_GT(std::abs(divides(Task::kGift)), 0.01);
}

TEST(PlatformTest, RejectsOptionsOutOfRange) {
  const Status no_days = Platform::Create({.days = 0}).status();
  const Status few_hosts = Platform::Create({.hosts = 3}).status();

  EXPECT_EQ(no_days.message(), "days is 0, expected a number from 1 to 366");
  EXPECT_EQ(few_hosts.message(), "hosts is 3, expected a number from 50 to 1000000");
  EXPECT_EQ(Platform::Create({.texts = 0}).status().message(),
            "texts is 0, expected a number from 1 to 64");
  EXPECT_THAT(Platform::Create({.harmony = -1}).status().message(),
              testing::HasSubstr("harmony is -1"));
  EXPECT_THAT(Platform::Create({.kinship = 1.5}).status().message(),
              testing::HasSubstr("kinship is 1.5"));
  EXPECT_THAT(Platform::Create({.character = -1}).status().message(),
              testing::HasSubstr("character is -1"));
  EXPECT_THAT(Platform::Create({.lifetime_days = 400}).status().message(),
              testing::HasSubstr("lifetime_days is 400"));
}

}  // namespace
}  // namespace antiphon
