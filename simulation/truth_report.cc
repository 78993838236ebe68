#include "simulation/truth_report.h"

#include <algorithm>
#include <numeric>
#include <optional>

#include <nlohmann/json.hpp>

namespace antiphon {
namespace {

using Json = nlohmann::ordered_json;

Json NumberOrNull(const std::optional<double>& number) {
  return number.has_value() ? Json(*number) : Json(nullptr);
}

Json ScoreJson(const TruthScore& score) {
  return {{"samples", score.samples},
          {"positives", score.positives},
          {"auc", NumberOrNull(score.auc)},
          {"expected_auc", NumberOrNull(score.expected_auc)},
          {"logloss", score.log_loss}};
}

Json TrainJson(const TrainCounts& train) {
  Json scenes = Json::object();
  for (size_t scene = 0; scene < train.samples.size(); ++scene) {
    Json rates = Json::object();
    const auto samples = static_cast<double>(std::max<int64_t>(train.samples[scene], 1));
    for (const Task task : kTasks) {
      const int64_t positives = train.positives[scene][static_cast<size_t>(task)];
      rates[std::string(TaskName(task))] = static_cast<double>(positives) / samples;
    }
    scenes[std::string(SceneName(kScenes.at(scene)))] = {{"samples", train.samples[scene]},
                                                         {"rates", rates}};
  }
  const int64_t samples = std::accumulate(train.samples.begin(), train.samples.end(), int64_t{0});
  return {{"samples", samples}, {"scenes", scenes}};
}

Json EvalJson(const ScoreBoard& eval) {
  Json tasks = Json::object();
  for (const Task task : kTasks) {
    Json of_task = ScoreJson(eval.ScoreOf(task));
    for (const Scene scene : kScenes) {
      of_task["scenes"][std::string(SceneName(scene))] = ScoreJson(eval.ScoreOf(task, scene));
    }
    tasks[std::string(TaskName(task))] = of_task;
  }
  return tasks;
}

}  // namespace

void TrainCounts::Add(const Impression& impression) {
  const auto scene = static_cast<size_t>(impression.showing.scene);
  ++samples[scene];
  for (size_t task = 0; task < impression.labels.size(); ++task) {
    positives[scene][task] += impression.labels[task] ? 1 : 0;
  }
}

std::string TruthReport(const PlatformOptions& options, int64_t requests, const TrainCounts& train,
                        const ScoreBoard& eval) {
  const Json report = {{"seed", options.seed},
                       {"days", options.days},
                       {"users", options.users},
                       {"hosts", options.hosts},
                       {"avatars", options.avatars},
                       {"texts", options.texts},
                       {"harmony", options.harmony},
                       {"drift", options.drift},
                       {"kinship", options.kinship},
                       {"character", options.character},
                       {"lifetime_days", options.lifetime_days},
                       {"requests", requests},
                       {"train", TrainJson(train)},
                       {"eval", EvalJson(eval)}};
  constexpr int kIndent = 2;
  return report.dump(kIndent) + "\n";
}

StatusOr<ToldPlatform> ReadPlatform(std::string_view truth_json) {
  const Json json = Json::parse(truth_json, nullptr, /*allow_exceptions=*/false);
  for (const char* name :
       {"seed", "days", "users", "hosts", "avatars", "texts", "harmony", "requests"}) {
    if (!json.is_object() || !json.contains(name) || !json.at(name).is_number()) {
      return InvalidArgumentError(std::string("no number \"") + name +
                                  "\", expected a truth.json of ps_simulate");
    }
  }
  const Json::json_pointer eval_samples("/eval/click/samples");
  if (!json.contains(eval_samples) || !json.at(eval_samples).is_number_integer()) {
    return InvalidArgumentError("no whole number at " + eval_samples.to_string() +
                                ", expected a truth.json of ps_simulate");
  }
  ToldPlatform told = {.options = {.seed = json.at("seed").get<uint64_t>(),
                                   .days = json.at("days").get<int>(),
                                   .users = json.at("users").get<int>(),
                                   .hosts = json.at("hosts").get<int>(),
                                   .avatars = json.at("avatars").get<int>(),
                                   .texts = json.at("texts").get<int>(),
                                   .harmony = json.at("harmony").get<double>(),
                                   // Samples of before there were these options have none.
                                   .drift = json.value("drift", 1.0),
                                   .kinship = json.value("kinship", 0.0),
                                   .character = json.value("character", 0.0),
                                   .lifetime_days = json.value("lifetime_days", 0.0)},
                       .requests = json.at("requests").get<int64_t>(),
                       .eval_samples = json.at(eval_samples).get<int64_t>()};
  return told;
}

}  // namespace antiphon
