// TruthReport: the text of truth.json, shaped like the report of a training run.
//
//   {"seed", "days", "users", "hosts", "avatars", "texts", "harmony", "drift", "kinship",
//    "character", "lifetime_days", "requests",
//    "train": {"samples", "scenes": {SCENE: {"samples", "rates": {TASK: ...}}}},
//    "eval": {TASK: {"samples", "positives", "auc", "expected_auc", "logloss",
//                    "scenes": {SCENE: {the same five}}}}}
//
// Rates are of impressions. An AUC is null where a class is missing.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/status.h"
#include "simulation/impression.h"
#include "simulation/platform_options.h"
#include "simulation/score_board.h"

namespace antiphon {

// How many training samples each scene has and how many of them are positive.
struct TrainCounts {
  void Add(const Impression& impression);

  std::array<int64_t, kSceneCount> samples{};
  std::array<std::array<int64_t, kTaskCount>, kSceneCount> positives{};
};

std::string TruthReport(const PlatformOptions& options, int64_t requests, const TrainCounts& train,
                        const ScoreBoard& eval);

// What a truth.json says about the platform, its requests.csv and its eval.csv.
struct ToldPlatform {
  PlatformOptions options;
  int64_t requests = 0;
  int64_t eval_samples = 0;  // of eval.csv
};
// Fails when the text is not a truth.json, and names what it lacks.
StatusOr<ToldPlatform> ReadPlatform(std::string_view truth_json);

}  // namespace antiphon
