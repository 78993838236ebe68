#include "simulation/judgement.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <vector>

#include "common/base/text.h"
#include "common/base/text_table.h"
#include "simulation/sample_set.h"

namespace antiphon {
namespace {

struct Choice {
  uint64_t host = 0;
  uint64_t avatar = 0;
  uint64_t text = 0;
  double score = 0;
};

// The lines of the choices, one after the other.
class ChoiceReader {
 public:
  static StatusOr<ChoiceReader> Create(std::string_view csv, const std::string& score) {
    ChoiceReader reader(csv);
    const std::vector<std::string_view> header = Split(Trim(reader.lines_.front()), ",");
    const std::array<std::string, 4> names = {"host_id", "avatar_id", "text_id", score};
    for (size_t i = 0; i < names.size(); ++i) {
      const auto found = std::find(header.begin(), header.end(), names[i]);
      if (found == header.end()) {
        return InvalidArgumentError("line 1: no column \"" + names[i] + "\"");
      }
      reader.columns_[i] = static_cast<size_t>(found - header.begin());
    }
    reader.column_count_ = header.size();
    return reader;
  }

  StatusOr<Choice> Next() {
    if (++line_ >= lines_.size() || Trim(lines_[line_]).empty()) {
      return Error("is missing, expected one for each line of requests.csv");
    }
    const std::vector<std::string_view> values = Split(Trim(lines_[line_]), ",");
    if (values.size() != column_count_) {
      return Error("has " + std::to_string(values.size()) + " columns, the header has " +
                   std::to_string(column_count_));
    }
    const std::optional<uint64_t> host = ParseUint(values[columns_[0]]);
    const std::optional<uint64_t> avatar = ParseUint(values[columns_[1]]);
    const std::optional<uint64_t> text = ParseUint(values[columns_[2]]);
    const std::optional<double> score = ParseFloat(values[columns_[3]]);
    if (!host.has_value() || !avatar.has_value() || !text.has_value() || !score.has_value()) {
      return Error("host_id, avatar_id, text_id and the score have to be numbers");
    }
    return Choice{.host = *host, .avatar = *avatar, .text = *text, .score = *score};
  }

  Status ExpectEnd() {
    ++line_;
    return line_ >= lines_.size() || Trim(lines_[line_]).empty()
               ? Status()
               : Error("is one more than requests.csv has");
  }

  Status Error(const std::string& what) const {
    return InvalidArgumentError("line " + std::to_string(line_ + 1) + ": " + what);
  }

 private:
  explicit ChoiceReader(std::string_view csv) : lines_(Split(csv, "\n")) {}

  std::vector<std::string_view> lines_;
  std::array<size_t, 4> columns_{};
  size_t column_count_ = 0;
  size_t line_ = 0;
};

// The true click probability of every text and avatar of a candidate, and of the chosen ones.
struct ClickChances {
  double sum = 0;
  double best = 0;
  int64_t count = 0;
  double chosen = 0;
};

ClickChances Look(const Truth& truth, Showing showing, int avatar, int text) {
  ClickChances chances;
  for (showing.avatar = 0; showing.avatar < std::ssize(showing.host->avatars); ++showing.avatar) {
    for (showing.text = 0; showing.text < std::ssize(showing.host->texts); ++showing.text) {
      const double click = truth.ChancesOf(showing).click;
      chances.sum += click;
      chances.best = std::max(chances.best, click);
      ++chances.count;
      if (showing.avatar == avatar && showing.text == text) {
        chances.chosen = click;
      }
    }
  }
  return chances;
}

void AddOccasion(const ClickChances& chances, Worth& sums) {
  ++sums.occasions;
  sums.random += chances.sum / static_cast<double>(chances.count);
  sums.chosen += chances.chosen;
  sums.best += chances.best;
}

void TakeMeans(Worth& sums) {
  const auto occasions = static_cast<double>(sums.occasions);
  sums.random /= occasions;
  sums.chosen /= occasions;
  sums.best /= occasions;
}

// Place `id` has among the contents of `host`, whose ids follow each other.
StatusOr<int> PlaceOf(uint64_t id, uint32_t host, size_t count, const char* what,
                      const ChoiceReader& reader) {
  const uint64_t first = uint64_t{host} * count;
  if (id < first || id - first >= count) {
    return reader.Error(std::string(what) + " " + std::to_string(id) + " is not of host " +
                        std::to_string(host));
  }
  return static_cast<int>(id - first);
}

StatusOr<ClickChances> Judge(const Truth& truth, const Showing& showing, const Choice& choice,
                             const ChoiceReader& reader) {
  const Host& host = *showing.host;
  if (choice.host != host.id) {
    return reader.Error("host_id is " + std::to_string(choice.host) + ", requests.csv has host " +
                        std::to_string(host.id) + " here");
  }
  AP_ASSIGN_OR_RETURN(const int avatar,
                      PlaceOf(choice.avatar, host.id, host.avatars.size(), "avatar_id", reader));
  AP_ASSIGN_OR_RETURN(const int text,
                      PlaceOf(choice.text, host.id, host.texts.size(), "text_id", reader));
  return Look(truth, showing, avatar, text);
}

}  // namespace

double Worth::Share() const {
  return (chosen - random) / (best - random);
}

StatusOr<Judgement> JudgeChoices(const Platform& platform, int64_t requests,
                                 std::string_view choices, const std::string& score) {
  if (requests < 1) {
    return InvalidArgumentError(
        "the samples have no requests.csv, expected ps_simulate --requests");
  }
  AP_ASSIGN_OR_RETURN(ChoiceReader reader, ChoiceReader::Create(choices, score));
  Judgement judgement;
  std::vector<Impression> candidates;
  for (int64_t i = 0; i < requests; ++i) {
    DrawCandidates(platform, requests, i, candidates);
    ClickChances all;
    std::optional<double> highest;
    for (const Impression& candidate : candidates) {
      AP_ASSIGN_OR_RETURN(const Choice choice, reader.Next());
      AP_ASSIGN_OR_RETURN(const ClickChances chances,
                          Judge(platform.truth(), candidate.showing, choice, reader));
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
  }
  AP_RETURN_IF_ERROR(reader.ExpectEnd());
  TakeMeans(judgement.of_host);
  TakeMeans(judgement.of_request);
  return judgement;
}

std::string JudgementTable(const Judgement& judgement) {
  TextTable table({"TRIPLET_OF", "OCCASIONS", "RANDOM", "CHOSEN", "BEST", "SHARE_%"}, 1);
  const auto add = [&table](const char* name, const Worth& worth) {
    table.AddRow({name, std::to_string(worth.occasions), FormatFixed(worth.random, 4),
                  FormatFixed(worth.chosen, 4), FormatFixed(worth.best, 4),
                  FormatFixed(100 * worth.Share(), 1)});
  };
  add("host", judgement.of_host);
  add("request", judgement.of_request);
  return table.ToString();
}

}  // namespace antiphon
