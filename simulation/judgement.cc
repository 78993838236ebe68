#include "simulation/judgement.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "common/base/text.h"
#include "common/base/text_table.h"
#include "simulation/sample_set.h"
#include "simulation/scored_lines.h"

namespace antiphon {
namespace {

struct Choice {
  uint64_t host = 0;
  uint64_t avatar = 0;
  uint64_t text = 0;
  double score = 0;
};

StatusOr<Choice> NextChoice(ScoredLines& lines) {
  AP_ASSIGN_OR_RETURN(const std::vector<std::string_view>* values, lines.Next());
  const std::optional<uint64_t> host = ParseUint((*values)[0]);
  const std::optional<uint64_t> avatar = ParseUint((*values)[1]);
  const std::optional<uint64_t> text = ParseUint((*values)[2]);
  const std::optional<double> score = ParseFloat((*values)[3]);
  if (!host.has_value() || !avatar.has_value() || !text.has_value() || !score.has_value()) {
    return lines.Error("host_id, avatar_id, text_id and the score have to be numbers");
  }
  return Choice{.host = *host, .avatar = *avatar, .text = *text, .score = *score};
}

// The true probability of every text and avatar of a candidate, and of the chosen ones.
struct TripletChances {
  double sum = 0;
  double best = 0;
  int64_t count = 0;
  double chosen = 0;
};

TripletChances Look(const Truth& truth, Task task, Showing showing, int avatar, int text) {
  TripletChances chances;
  for (showing.avatar = 0; showing.avatar < std::ssize(showing.host->avatars); ++showing.avatar) {
    for (showing.text = 0; showing.text < std::ssize(showing.host->texts); ++showing.text) {
      const double chance = truth.ChancesOf(showing).Of(task);
      chances.sum += chance;
      chances.best = std::max(chances.best, chance);
      ++chances.count;
      if (showing.avatar == avatar && showing.text == text) {
        chances.chosen = chance;
      }
    }
  }
  return chances;
}

void AddOccasion(const TripletChances& chances, Worth& sums) {
  ++sums.occasions;
  sums.random += chances.sum / static_cast<double>(chances.count);
  sums.chosen += chances.chosen;
  sums.best += chances.best;
}

void TakeMeans(Worth& sums) {
  if (sums.occasions == 0) {
    return;
  }
  const auto occasions = static_cast<double>(sums.occasions);
  sums.random /= occasions;
  sums.chosen /= occasions;
  sums.best /= occasions;
}

// Place `id` has among the contents of `host`, whose ids follow each other.
StatusOr<int> PlaceOf(uint64_t id, uint32_t host, size_t count, const char* what,
                      const ScoredLines& lines) {
  const uint64_t first = uint64_t{host} * count;
  if (id < first || id - first >= count) {
    return lines.Error(std::string(what) + " " + std::to_string(id) + " is not of host " +
                       std::to_string(host));
  }
  return static_cast<int>(id - first);
}

StatusOr<TripletChances> Judge(const Truth& truth, Task task, const Showing& showing,
                               const Choice& choice, const ScoredLines& lines) {
  const Host& host = *showing.host;
  if (choice.host != host.id) {
    return lines.Error("host_id is " + std::to_string(choice.host) + ", requests.csv has host " +
                       std::to_string(host.id) + " here");
  }
  AP_ASSIGN_OR_RETURN(const int avatar,
                      PlaceOf(choice.avatar, host.id, host.avatars.size(), "avatar_id", lines));
  AP_ASSIGN_OR_RETURN(const int text,
                      PlaceOf(choice.text, host.id, host.texts.size(), "text_id", lines));
  return Look(truth, task, showing, avatar, text);
}

}  // namespace

double Worth::Share() const {
  return (chosen - random) / (best - random);
}

StatusOr<Judgement> JudgeChoices(const Platform& platform, int64_t requests,
                                 std::string_view choices, const std::string& score, Task task) {
  if (requests < 1) {
    return InvalidArgumentError(
        "the samples have no requests.csv, expected ps_simulate --requests");
  }
  AP_ASSIGN_OR_RETURN(
      ScoredLines lines,
      ScoredLines::Create(choices, "requests.csv", {"host_id", "avatar_id", "text_id", score}));
  Judgement judgement;
  std::vector<Impression> candidates;
  for (int64_t i = 0; i < requests; ++i) {
    DrawCandidates(platform, requests, i, candidates);
    TripletChances all;
    std::optional<double> highest;
    for (const Impression& candidate : candidates) {
      AP_ASSIGN_OR_RETURN(const Choice choice, NextChoice(lines));
      AP_ASSIGN_OR_RETURN(const TripletChances chances,
                          Judge(platform.truth(), task, candidate.showing, choice, lines));
      AddOccasion(chances, judgement.of_host);
      all.sum += chances.sum;
      all.count += chances.count;
      all.best = std::max(all.best, chances.best);
      if (!highest.has_value() || choice.score > *highest) {
        highest = choice.score;
        all.chosen = chances.chosen;
      }
    }
    AddOccasion(all, judgement.of_request);
    AddOccasion(all, judgement.of_scene.at(static_cast<size_t>(candidates.front().showing.scene)));
  }
  AP_RETURN_IF_ERROR(lines.ExpectEnd());
  TakeMeans(judgement.of_host);
  TakeMeans(judgement.of_request);
  for (Worth& worth : judgement.of_scene) {
    TakeMeans(worth);
  }
  return judgement;
}

std::string JudgementTable(const Judgement& judgement) {
  TextTable table({"TRIPLET_OF", "OCCASIONS", "RANDOM", "CHOSEN", "BEST", "SHARE_%"}, 1);
  const auto add = [&table](const std::string& name, const Worth& worth) {
    table.AddRow({name, std::to_string(worth.occasions), FormatFixed(worth.random, 4),
                  FormatFixed(worth.chosen, 4), FormatFixed(worth.best, 4),
                  FormatFixed(100 * worth.Share(), 1)});
  };
  add("host", judgement.of_host);
  add("request", judgement.of_request);
  for (const Scene scene : kScenes) {
    const Worth& worth = judgement.of_scene.at(static_cast<size_t>(scene));
    if (worth.occasions > 0) {
      add("request/" + std::string(SceneName(scene)), worth);
    }
  }
  return table.ToString();
}

}  // namespace antiphon
