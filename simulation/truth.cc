#include "simulation/truth.h"

#include <cmath>
#include <vector>

#include "common/base/hash.h"
#include "common/base/rng.h"

namespace antiphon {
namespace {

constexpr uint64_t kTruthStream = 5;
constexpr uint64_t kHarmonyStream = 8;

// The deviation that each part brings to the logits of click, long watch, gift, comment, follow.
struct Strengths {
  TaskLogits match;
  TaskLogits propensity;
  TaskLogits appeal;
  TaskLogits avatar;
  TaskLogits text;
  TaskLogits scene_category;
  TaskLogits rhythm;
  TaskLogits language;  // difference between the same and another language
  TaskLogits fashion;   // change over the whole period
  TaskLogits trend;     // the same
  TaskLogits position;  // what each place further down costs
};

constexpr Strengths kStrengths = {
    .match = {0.40, 0.50, 0.40, 0.40, 0.60},
    .propensity = {0.80, 0.35, 0.90, 0.60, 0.50},
    .appeal = {0.80, 0.45, 0.60, 0.50, 0.60},
    .avatar = {0.40, 0.10, 0.15, 0.10, 0.20},
    .text = {0.25, 0.15, 0.10, 0.30, 0.15},
    .scene_category = {0.20, 0.15, 0.15, 0.15, 0.15},
    .rhythm = {0.12, 0.20, 0.25, 0.15, 0.15},
    .language = {0.40, 0.50, 0.40, 0.80, 0.40},
    .fashion = {0.30, 0.30, 0.20, 0.20, 0.30},
    .trend = {0.15, 0.20, 0.20, 0.20, 0.30},
    .position = {0.10, 0.00, 0.00, 0.00, 0.00},
};

// Of the weights with which a scene looks at content, the part that all scenes share.
constexpr double kContentSharedByScenes = 0.9;
// Of the score of content, the part that depends on the user's taste.
constexpr double kContentByTaste = 0.2;

double Sigmoid(double logit) {
  return 1.0 / (1.0 + std::exp(-logit));
}

ContentVector MixedWeights(const ContentVector& shared, Rng& rng) {
  ContentVector weights{};
  AddScaled(std::sqrt(kContentSharedByScenes), shared, weights);
  AddScaled(std::sqrt(1.0 - kContentSharedByScenes), NormalArray<kVectorDims>(rng), weights);
  return weights;
}

// Scene's weights and user's taste against the content; deviation about 1.
double ContentScore(const ContentVector& weights, const ContentVector& taste,
                    const ContentVector& content) {
  double by_scene = 0;
  double by_taste = 0;
  for (size_t i = 0; i < content.size(); ++i) {
    by_scene += static_cast<double>(weights[i]) * content[i];
    by_taste += static_cast<double>(taste[i]) * content[i];
  }
  return (std::sqrt(1.0 - kContentByTaste) * by_scene + std::sqrt(kContentByTaste) * by_taste) /
         std::sqrt(static_cast<double>(kVectorDims));
}

// How avatar and text go together; deviation about 1.
double HarmonyScore(const ContentVector& weights, const ContentVector& avatar,
                    const ContentVector& text) {
  double sum = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    sum += static_cast<double>(weights[i]) * avatar[i] * text[i];
  }
  return sum / std::sqrt(static_cast<double>(kVectorDims));
}

// The constant c with mean over i of weight_i * sigmoid(logit_i + c) = rate * sum of weights.
double SolveConstant(std::span<const double> logits, std::span<const double> weights, double rate) {
  double low = -20;
  double high = 20;
  constexpr int kHalvings = 30;
  for (int i = 0; i < kHalvings; ++i) {
    const double middle = (low + high) / 2;
    double excess = 0;
    for (size_t k = 0; k < logits.size(); ++k) {
      excess += weights[k] * (Sigmoid(logits[k] + middle) - rate);
    }
    (excess > 0 ? high : low) = middle;
  }
  return (low + high) / 2;
}

// The task's own value, with as much of the click's as makes `kinship` their correlation.
double KindredValue(const TaskValues& values, Task task, double kinship) {
  const double own = values[static_cast<size_t>(task)];
  if (task == Task::kClick) {
    return own;
  }
  return kinship * values[static_cast<size_t>(Task::kClick)] +
         std::sqrt(1 - kinship * kinship) * own;
}

}  // namespace

Truth::Truth(const PlatformOptions& options)
    : effects_{},
      harmony_(options.harmony),
      drift_(options.drift),
      kinship_(options.kinship),
      character_(options.character) {
  Rng harmony_rng(Mix64(options.seed, kHarmonyStream));
  harmony_weights_ = NormalArray<kVectorDims>(harmony_rng);
  Rng rng(Mix64(options.seed, kTruthStream));
  for (TaskEffects& effects : effects_) {
    for (float& weight : effects.interest_weights) {
      // Every interest counts for every task, but not equally.
      weight = static_cast<float>(0.5 + rng.Uniform());
    }
    const ContentVector shared_avatar = NormalArray<kVectorDims>(rng);
    const ContentVector shared_text = NormalArray<kVectorDims>(rng);
    for (size_t scene = 0; scene < kSceneCount; ++scene) {
      effects.avatar_weights[scene] = MixedWeights(shared_avatar, rng);
      effects.text_weights[scene] = MixedWeights(shared_text, rng);
      effects.scene_category[scene] = NormalArray<kCategoryCount>(rng);
    }
    effects.fashion = NormalArray<kCategoryCount>(rng);
    for (float& hour : effects.peak_hour) {
      hour = static_cast<float>(kHoursADay * rng.Uniform());
    }
  }
}

void Truth::Calibrate(Scene scene, std::span<const Showing> traffic) {
  std::vector<double> logits(traffic.size());
  std::vector<double> weights(traffic.size(), 1.0);
  for (const Task task : kTasks) {
    for (size_t i = 0; i < traffic.size(); ++i) {
      logits[i] = LogitWithoutConstant(task, traffic[i]);
    }
    const double constant = SolveConstant(logits, weights, TargetRate(task, scene));
    effects_[static_cast<size_t>(task)].constant[static_cast<size_t>(scene)] = constant;
    if (task == Task::kClick) {
      for (size_t i = 0; i < traffic.size(); ++i) {
        weights[i] = Sigmoid(logits[i] + constant);
      }
    }
  }
}

double Truth::LogitWithoutConstant(Task task, const Showing& showing) const {
  const auto t = static_cast<size_t>(task);
  const auto scene = static_cast<size_t>(showing.scene);
  const auto category = static_cast<size_t>(showing.host->category);
  const Strengths& s = kStrengths;
  const TaskEffects& effects = effects_[t];
  const User& user = *showing.user;
  const Host& host = *showing.host;

  double match = 0;
  for (size_t i = 0; i < user.interests.size(); ++i) {
    match +=
        static_cast<double>(effects.interest_weights[i]) * user.interests[i] * host.interests[i];
  }
  match /= std::sqrt(static_cast<double>(kInterestDims));

  const ContentVector& avatar_vector = host.avatars[static_cast<size_t>(showing.avatar)];
  const ContentVector& text_vector = host.texts[static_cast<size_t>(showing.text)];
  const double avatar =
      ContentScore(effects.avatar_weights[scene], user.avatar_taste, avatar_vector);
  const double text = ContentScore(effects.text_weights[scene], user.text_taste, text_vector);
  const double harmony = task == Task::kClick
                             ? harmony_ * HarmonyScore(harmony_weights_, avatar_vector, text_vector)
                             : 0.0;
  const double character = task == Task::kClick ? 0.0 : character_ * host.character[t];
  // Cosine over the day with deviation 1; drift is 0 in the middle of the period.
  const double rhythm =
      M_SQRT2 *
      std::cos(2 * M_PI * (showing.moment.hour - effects.peak_hour[category]) / kHoursADay);
  const double drift = drift_ * (showing.moment.progress - 0.5);

  return s.match[t] * match + s.propensity[t] * KindredValue(user.propensity, task, kinship_) +
         s.appeal[t] * KindredValue(host.appeal, task, kinship_) + s.avatar[t] * avatar +
         s.text[t] * text + harmony + character +
         s.scene_category[t] * effects.scene_category[scene][category] + s.rhythm[t] * rhythm +
         (user.language == host.language ? s.language[t] : 0.0) +
         drift * (s.fashion[t] * effects.fashion[category] + s.trend[t] * host.trend[t]) -
         s.position[t] * showing.position;
}

TaskLogits Truth::Logits(const Showing& showing) const {
  TaskLogits logits{};
  for (const Task task : kTasks) {
    const auto t = static_cast<size_t>(task);
    logits[t] = LogitWithoutConstant(task, showing) +
                effects_[t].constant[static_cast<size_t>(showing.scene)];
  }
  return logits;
}

Chances Truth::ChancesOf(const Showing& showing) const {
  const TaskLogits logits = Logits(showing);
  Chances chances;
  chances.click = Sigmoid(logits[static_cast<size_t>(Task::kClick)]);
  for (size_t t = 0; t < logits.size(); ++t) {
    chances.after_click[t] = static_cast<float>(Sigmoid(logits[t]));
  }
  chances.after_click[static_cast<size_t>(Task::kClick)] = 1;
  return chances;
}

}  // namespace antiphon
