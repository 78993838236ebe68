// Random worlds against a brute-force oracle: whatever the turns in which partitions are read, and
// wherever a joiner is stopped and another one goes on from its store, the same samples come out in
// the same order, with the labels that a look at all events gives.
#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "common/base/rng.h"
#include "join/joiner.h"
#include "tests/support/memory_join_store.h"

namespace antiphon {
namespace {

using Labels = std::vector<std::optional<double>>;

constexpr int64_t kSecond = 1000;
constexpr int64_t kOutOfOrder = 4 * kSecond;

// Every rule has a window of its own, one depends on another, one is a number.
constexpr char kFeedback[] = R"(
    feedback { kind: "click" window_seconds: 8 }
    feedback { kind: "watch" window_seconds: 15 value: SUM }
    feedback { kind: "gift" window_seconds: 25 given: "click"
               late_field: "gift_late" never_field: "gift_never" }
    out_of_order_seconds: 4
)";
constexpr const char* kEmits[] = {"", "emit: AT_ONCE", "emit: EARLY early_seconds: 5",
                                  "emit: EARLY early_seconds: 20"};

using Log = std::vector<JoinEvent>;  // of one partition, in its order

struct World {
  std::vector<Log> logs;
};

// Impressions and feedback, some doubled, some without the other, scattered over partitions; within
// a partition mostly no more out of order than is allowed.
World MakeWorld(uint64_t seed) {
  Rng rng(seed);
  World world;
  world.logs.resize(1 + rng.Below(4));
  const auto scatter = [&](const JoinEvent& event) {
    const size_t copies = rng.Chance(0.1) ? 2 : 1;
    for (size_t i = 0; i < copies; ++i) {
      world.logs[rng.Below(world.logs.size())].push_back(event);
    }
  };
  for (int r = 0; r < 60; ++r) {
    const std::string request =
        "r" + std::to_string(100 * rng.Below(1000) + static_cast<uint64_t>(r));
    const auto shown_ms = static_cast<int64_t>(rng.Below(100)) * kSecond;
    if (!rng.Chance(0.1)) {
      scatter({request, shown_ms, true, "features of " + request, "", 0});
    }
    for (const char* kind : {"click", "watch", "gift", "share"}) {
      for (uint64_t n = rng.Below(3); n > 0; --n) {
        const int64_t time_ms = shown_ms + (static_cast<int64_t>(rng.Below(40)) - 4) * kSecond;
        scatter({request, std::max<int64_t>(0, time_ms), false, "", kind,
                 static_cast<double>(rng.Below(5))});
      }
    }
  }
  for (Log& log : world.logs) {
    std::vector<std::pair<int64_t, size_t>> order;
    for (size_t i = 0; i < log.size(); ++i) {
      const bool is_late = rng.Chance(0.02);
      const auto jitter = static_cast<int64_t>(rng.Below(kOutOfOrder));
      order.emplace_back(log[i].time_ms + (is_late ? 10 * kOutOfOrder : jitter), i);
    }
    std::sort(order.begin(), order.end());
    Log sorted;
    for (const auto& [arrival, index] : order) {
      sorted.push_back(log[index]);
    }
    log = std::move(sorted);
  }
  return world;
}

// All events that count, by request, and what happens to the others.
struct Truth {
  struct Request {
    std::optional<int64_t> shown_ms;
    std::set<std::tuple<std::string, int64_t, double>> feedback;
  };
  std::map<std::string, Request> requests;
  uint64_t late = 0;
  uint64_t duplicates = 0;
  uint64_t orphans = 0;
  uint64_t outside = 0;
};

Truth LookAtAll(const World& world, const JoinRules& rules) {
  Truth truth;
  for (const Log& log : world.logs) {
    int64_t latest_ms = kBeforeAllTime;
    for (const JoinEvent& event : log) {
      const bool is_late = latest_ms != kBeforeAllTime && event.time_ms < latest_ms - kOutOfOrder;
      latest_ms = std::max(latest_ms, event.time_ms);
      if (is_late) {
        ++truth.late;
        continue;
      }
      Truth::Request& request = truth.requests[event.request];
      if (event.is_impression) {
        truth.duplicates += request.shown_ms.has_value() ? 1 : 0;
        request.shown_ms = std::min(request.shown_ms.value_or(event.time_ms), event.time_ms);
      } else if (rules.Find(event.kind).has_value()) {
        const bool is_new = request.feedback.emplace(event.kind, event.time_ms, event.value).second;
        truth.duplicates += is_new ? 0 : 1;
      }
    }
  }
  for (const auto& [name, request] : truth.requests) {
    for (const auto& [kind, time_ms, value] : request.feedback) {
      const int64_t window_ms = rules.feedback[*rules.Find(kind)].window_ms;
      if (!request.shown_ms.has_value() || time_ms < *request.shown_ms - window_ms ||
          time_ms > *request.shown_ms + rules.open_ms) {
        ++truth.orphans;
      } else if (time_ms > *request.shown_ms + window_ms) {
        ++truth.outside;
      }
    }
  }
  return truth;
}

// What is known of a request at second after second, by the words of proto/join.proto.
class Oracle {
 public:
  Oracle(const JoinRules& rules, const Truth::Request& request)
      : rules_(rules), request_(request), shown_ms_(*request.shown_ms) {}

  Labels KnownAt(int64_t at_ms) const {
    Labels labels(rules_.columns.size());
    for (size_t i = 0; i < rules_.feedback.size(); ++i) {
      const FeedbackRule& rule = rules_.feedback[i];
      const std::optional<int64_t> start_ms = StartOf(i);
      if (!start_ms.has_value() || at_ms < *start_ms) {
        continue;
      }
      const bool is_final = at_ms >= shown_ms_ + rule.window_ms;
      if (rule.value == Feedback::SUM) {
        labels[rule.label_column] = is_final ? std::optional(SumOf(i)) : std::nullopt;
        continue;
      }
      const bool at_start = HasHappened(i, *start_ms);
      const bool finally = HasHappened(i, kAfterAllTime);
      labels[rule.label_column] = HasHappened(i, at_ms) ? 1 : 0;
      if (rule.late_column.has_value() && is_final) {
        labels[*rule.late_column] = !at_start && finally ? 1 : 0;
        if (!at_start) {
          labels[*rule.never_column] = finally ? 0 : 1;
        }
      }
    }
    return labels;
  }

 private:
  std::optional<int64_t> StartOf(size_t i) const {
    const FeedbackRule& rule = rules_.feedback[i];
    for (int64_t at_ms = shown_ms_ + rules_.wait_ms; at_ms <= shown_ms_ + rules_.open_ms;
         at_ms += kSecond) {
      if (!rule.given.has_value() || HasHappened(*rule.given, at_ms)) {
        return at_ms;
      }
    }
    return std::nullopt;
  }

  bool Counts(size_t i, const std::string& kind, int64_t time_ms) const {
    const FeedbackRule& rule = rules_.feedback[i];
    return kind == rule.kind && time_ms <= shown_ms_ + rule.window_ms &&
           time_ms >= shown_ms_ - rule.window_ms;
  }
  bool HasHappened(size_t i, int64_t by_ms) const {
    return std::any_of(request_.feedback.begin(), request_.feedback.end(), [&](const auto& seen) {
      return Counts(i, std::get<0>(seen), std::get<1>(seen)) && std::get<1>(seen) <= by_ms;
    });
  }
  double SumOf(size_t i) const {
    double sum = 0;
    for (const auto& [kind, time_ms, value] : request_.feedback) {
      sum += Counts(i, kind, time_ms) ? value : 0;
    }
    return sum;
  }

  const JoinRules& rules_;
  const Truth::Request& request_;
  int64_t shown_ms_;
};

std::string Line(const std::string& request, int64_t known_until_ms, const Labels& labels) {
  std::string line = request + "@" + std::to_string(known_until_ms / kSecond);
  for (const std::optional<double>& label : labels) {
    line += label.has_value() ? " " + std::to_string(static_cast<int>(*label)) : " -";
  }
  return line;
}

std::vector<std::string> Expected(const Truth& truth, const JoinRules& rules) {
  std::vector<std::pair<std::pair<int64_t, std::string>, std::string>> lines;
  for (const auto& [name, request] : truth.requests) {
    if (!request.shown_ms.has_value()) {
      continue;
    }
    const Oracle oracle(rules, request);
    Labels before(rules.columns.size());
    for (int64_t at_ms = *request.shown_ms; at_ms <= *request.shown_ms + rules.open_ms;
         at_ms += kSecond) {
      const Labels now = oracle.KnownAt(at_ms);
      Labels news(now.size());
      for (size_t c = 0; c < now.size(); ++c) {
        news[c] = now[c] == before[c] ? std::nullopt : now[c];
      }
      if (news != Labels(now.size())) {
        lines.push_back({{at_ms, name}, Line(name, at_ms, news)});
      }
      before = now;
    }
  }
  std::sort(lines.begin(), lines.end());
  std::vector<std::string> sorted;
  for (const auto& line : lines) {
    sorted.push_back(line.second);
  }
  return sorted;
}

// Joins the world in random turns. Now and then it commits, leaves all but `memory` bytes to the
// store, and may die: whoever comes next begins at the last commit.
class Rehearsal {
 public:
  Rehearsal(const JoinRules& rules, const World& world, uint64_t seed, uint64_t memory)
      : rules_(rules), world_(world), rng_(seed), memory_(memory), next_(world.logs.size()) {
    Begin();
  }

  std::vector<std::string> Run() {
    while (!IsAtEnd()) {
      ReadSome();
      TakeSamples();
      if (rng_.Chance(0.2)) {
        Commit();
      }
      if (rng_.Chance(0.1)) {
        Begin();
      }
    }
    joiner_->End();
    TakeSamples();
    return lines_;
  }

  JoinCounts counts() { return joiner_->counts(); }

 private:
  bool IsAtEnd() const {
    for (size_t p = 0; p < next_.size(); ++p) {
      if (next_[p] < world_.logs[p].size()) {
        return false;
      }
    }
    return true;
  }

  void Begin() {
    joiner_ = std::make_unique<Joiner>(rules_, world_.logs.size(), store_);
    next_.assign(world_.logs.size(), 0);
    lines_.clear();
    if (const auto found = store_.contents().find(ProgressKey());
        found != store_.contents().end()) {
      JoinProgress progress;
      CHECK(progress.ParseFromString(found->second));
      CHECK(joiner_->Restore(progress).ok());
      for (size_t p = 0; p < next_.size(); ++p) {
        next_[p] = progress.partitions(static_cast<int>(p)).position();
      }
      lines_ = committed_lines_;
    }
  }

  void ReadSome() {
    const size_t p = rng_.Below(next_.size());
    for (uint64_t n = rng_.Below(20); n > 0 && next_[p] < world_.logs[p].size(); --n) {
      CHECK(joiner_->Add(p, world_.logs[p][next_[p]++]).ok());
    }
  }

  void TakeSamples() {
    while (true) {
      const StatusOr<std::optional<JoinedSample>> sample = joiner_->Next();
      CHECK(sample.ok()) << sample.status();
      if (!sample->has_value()) {
        return;
      }
      EXPECT_EQ((*sample)->fields, "features of " + (*sample)->request);
      lines_.push_back(Line((*sample)->request, (*sample)->known_until_ms, (*sample)->labels));
    }
  }

  void Commit() {
    JoinProgress progress;
    for (const uint64_t position : next_) {
      progress.add_partitions()->set_position(position);
    }
    joiner_->SaveTo(progress);
    std::vector<StoreChange> changes;
    joiner_->open().ListChanges(changes);
    changes.push_back({ProgressKey(), progress.SerializeAsString()});
    CHECK(store_.Commit(changes).ok());
    joiner_->open().NoteCommitted();
    joiner_->open().Shrink(memory_);
    EXPECT_LE(joiner_->open().memory_bytes(), memory_);
    committed_lines_ = lines_;
  }

  const JoinRules& rules_;
  const World& world_;
  Rng rng_;
  uint64_t memory_;
  MemoryJoinStore store_;
  std::unique_ptr<Joiner> joiner_;
  std::vector<size_t> next_;
  std::vector<std::string> lines_;
  std::vector<std::string> committed_lines_;
};

class JoinerPropertyTest : public ::testing::TestWithParam<const char*> {};

TEST_P(JoinerPropertyTest, GivesWhatTheOracleGivesInAnyOrderOfReadingAndThroughAnyRestart) {
  JoinConfig config;
  ASSERT_TRUE(
      google::protobuf::TextFormat::ParseFromString(std::string(kFeedback) + GetParam(), &config));
  const StatusOr<JoinRules> rules = MakeJoinRules(config);
  ASSERT_TRUE(rules.ok()) << rules.status();
  for (uint64_t seed = 1; seed <= 25; ++seed) {
    const World world = MakeWorld(seed);
    const Truth truth = LookAtAll(world, *rules);
    const std::vector<std::string> expected = Expected(truth, *rules);
    for (const uint64_t memory : {uint64_t{1} << 30, uint64_t{4000}, uint64_t{0}}) {
      Rehearsal rehearsal(*rules, world, seed, memory);
      ASSERT_EQ(rehearsal.Run(), expected) << "seed " << seed << ", memory " << memory;
      const JoinCounts counts = rehearsal.counts();
      EXPECT_EQ(counts.samples(), expected.size());
      EXPECT_EQ(counts.late_impressions() + counts.late_feedback(), truth.late);
      EXPECT_EQ(counts.duplicate_impressions() + counts.duplicate_feedback(), truth.duplicates);
      EXPECT_EQ(counts.orphans(), truth.orphans) << "seed " << seed;
      EXPECT_EQ(counts.outside_window(), truth.outside) << "seed " << seed;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Emits, JoinerPropertyTest, ::testing::ValuesIn(kEmits),
                         [](const auto& emit) { return "Emit" + std::to_string(emit.index); });

}  // namespace
}  // namespace antiphon
