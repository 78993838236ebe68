#include "join/joiner.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "tests/support/memory_join_store.h"

namespace antiphon {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr char kFeedback[] = R"(
    feedback { kind: "click" window_seconds: 10 }
    feedback { kind: "gift" window_seconds: 100 given: "click"
               late_field: "gift_late" never_field: "gift_never" }
    out_of_order_seconds: 5
)";

JoinRules RulesOf(const std::string& text) {
  JoinConfig config;
  CHECK(google::protobuf::TextFormat::ParseFromString(text, &config));
  StatusOr<JoinRules> rules = MakeJoinRules(config);
  CHECK(rules.ok()) << rules.status();
  return *std::move(rules);
}

JoinEvent Shown(const std::string& request, int64_t seconds) {
  return {.request = request,
          .time_ms = seconds * 1000,
          .is_impression = true,
          .fields = "features of " + request,
          .kind = "",
          .value = 0};
}

JoinEvent Happened(const std::string& kind, const std::string& request, int64_t seconds,
                   double value = 0) {
  return {.request = request,
          .time_ms = seconds * 1000,
          .is_impression = false,
          .fields = "",
          .kind = kind,
          .value = value};
}

// "a@10 1 - -": the request, until when it knows in seconds, its labels.
std::string Line(const JoinedSample& sample) {
  std::string line = sample.request + "@" + std::to_string(sample.known_until_ms / 1000);
  for (const std::optional<double>& label : sample.labels) {
    line += label.has_value() ? " " + std::to_string(static_cast<int>(*label)) : " -";
  }
  return line;
}

class JoinerTest : public ::testing::Test {
 protected:
  void Use(const std::string& config, size_t partitions = 1) {
    rules_ = RulesOf(config);
    joiner_ = std::make_unique<Joiner>(rules_, partitions, store_);
  }

  void Add(JoinEvent event, size_t partition = 0) {
    const Status added = joiner_->Add(partition, std::move(event));
    ASSERT_TRUE(added.ok()) << added;
  }

  std::vector<std::string> Out() {
    std::vector<std::string> lines;
    while (true) {
      const StatusOr<std::optional<JoinedSample>> sample = joiner_->Next();
      CHECK(sample.ok()) << sample.status();
      if (!sample->has_value()) {
        return lines;
      }
      EXPECT_EQ((*sample)->fields, "features of " + (*sample)->request);
      lines.push_back(Line(**sample));
    }
  }

  std::vector<std::string> End() {
    joiner_->End();
    return Out();
  }

  JoinRules rules_;
  MemoryJoinStore store_;
  std::unique_ptr<Joiner> joiner_;
};

TEST_F(JoinerTest, GivesFinalLabelsWhenTheLastWindowHasPassed) {
  Use(kFeedback);
  Add(Shown("a", 100));
  Add(Happened("click", "a", 103));
  Add(Happened("gift", "a", 150));
  Add(Shown("b", 205));  // the watermark is at 200: what happens at 200 may still come

  EXPECT_THAT(Out(), IsEmpty());
  Add(Shown("c", 206));

  EXPECT_THAT(Out(), ElementsAre("a@200 1 1 0 -"));
}

TEST_F(JoinerTest, MasksWhatDependsOnALabelThatIsZero) {
  Use(kFeedback);
  Add(Shown("a", 100));
  Add(Happened("gift", "a", 150));

  EXPECT_THAT(End(), ElementsAre("a@200 0 - - -"));
}

TEST_F(JoinerTest, TakesFeedbackThatComesBeforeItsImpression) {
  Use(kFeedback);
  Add(Happened("click", "a", 103));
  Add(Shown("a", 100));

  EXPECT_THAT(End(), ElementsAre("a@200 1 0 0 1"));
  EXPECT_EQ(joiner_->counts().orphans(), 0u);
}

TEST_F(JoinerTest, TellsEarlyLabelsLatePositivesAndHowItEnded) {
  Use(std::string(kFeedback) + "emit: EARLY early_seconds: 10");
  Add(Shown("late", 100));
  Add(Shown("never", 101));
  Add(Shown("early", 102));
  for (const char* request : {"late", "never", "early"}) {
    Add(Happened("click", request, 104));
  }
  Add(Happened("gift", "early", 106));
  Add(Happened("gift", "late", 150));

  EXPECT_THAT(End(), ElementsAre("late@110 1 0 - -", "never@111 1 0 - -", "early@112 1 1 - -",
                                 "late@150 - 1 - -", "late@200 - - 1 0", "never@201 - - 0 1",
                                 "early@202 - - 0 -"));
}

TEST_F(JoinerTest, SendsAtOnceAndAgainForEachFeedback) {
  Use(R"(feedback { kind: "click" window_seconds: 10 }
         feedback { kind: "gift" window_seconds: 100 given: "click" }
         emit: AT_ONCE)");
  Add(Shown("a", 100));
  Add(Happened("click", "a", 104));
  Add(Happened("gift", "a", 150));

  // The click makes a label of the gift: not yet.
  EXPECT_THAT(End(), ElementsAre("a@100 0 -", "a@104 1 0", "a@150 - 1"));
}

TEST_F(JoinerTest, KnowsNumbersWhenTheirWindowHasPassed) {
  Use(R"(feedback { kind: "click" window_seconds: 10 }
         feedback { kind: "watch" window_seconds: 60 value: SUM label_field: "watched" }
         feedback { kind: "speed" window_seconds: 60 value: LAST }
         out_of_order_seconds: 100 emit: AT_ONCE)");
  Add(Shown("a", 100));
  Add(Happened("watch", "a", 120, 20));
  Add(Happened("speed", "a", 140, 3));
  Add(Happened("watch", "a", 110, 10));
  Add(Happened("speed", "a", 130, 2));
  Add(Happened("watch", "a", 161, 40));

  EXPECT_THAT(End(), ElementsAre("a@100 0 - -", "a@160 - 30 3"));
  EXPECT_EQ(joiner_->counts().outside_window(), 0u) << "at 161 nothing was open: an orphan";
  EXPECT_EQ(joiner_->counts().orphans(), 1u);
}

TEST_F(JoinerTest, CountsDuplicatesOnce) {
  Use(kFeedback);
  Add(Shown("a", 100));
  Add(Shown("a", 100));
  Add(Happened("click", "a", 103));
  Add(Happened("click", "a", 103));

  EXPECT_THAT(End(), ElementsAre("a@200 1 0 0 1"));
  EXPECT_EQ(joiner_->counts().duplicate_impressions(), 1u);
  EXPECT_EQ(joiner_->counts().duplicate_feedback(), 1u);
  EXPECT_EQ(joiner_->counts().samples(), 1u);
}

TEST_F(JoinerTest, CountsFeedbackThatComesToNothing) {
  Use(kFeedback);
  Add(Shown("a", 100));
  Add(Happened("click", "b", 102));   // nobody showed b
  Add(Happened("follow", "a", 103));  // no rule for it
  Add(Happened("click", "a", 150));   // its window ended at 110

  EXPECT_THAT(End(), ElementsAre("a@200 0 - - -"));
  EXPECT_EQ(joiner_->counts().outside_window(), 1u);
  EXPECT_EQ(joiner_->counts().orphans(), 1u);
  EXPECT_EQ(joiner_->counts().unknown_kinds(), 1u);
}

TEST_F(JoinerTest, DropsWhatIsBehindTheWatermark) {
  Use(kFeedback);
  Add(Shown("a", 100));
  Add(Shown("b", 95));  // 5 seconds out of order
  Add(Shown("c", 94));
  Add(Happened("click", "a", 94));

  EXPECT_THAT(End(), ElementsAre("b@195 0 - - -", "a@200 0 - - -"));
  EXPECT_EQ(joiner_->counts().late_impressions(), 1u);
  EXPECT_EQ(joiner_->counts().late_feedback(), 1u);
}

TEST_F(JoinerTest, WaitsForTheSlowestPartitionUnlessItIsIdle) {
  Use(kFeedback, 2);
  Add(Shown("a", 100), 0);
  Add(Shown("b", 1000), 0);
  EXPECT_THAT(Out(), IsEmpty()) << "partition 1 has said nothing yet";
  EXPECT_EQ(joiner_->watermark_ms(), kBeforeAllTime);
  Add(Happened("click", "a", 104), 1);
  EXPECT_EQ(joiner_->watermark_ms(), 99'000);

  joiner_->SetIdle(1);

  EXPECT_EQ(joiner_->watermark_ms(), 995'000);
  EXPECT_THAT(Out(), ElementsAre("a@200 1 0 0 1"));
}

TEST_F(JoinerTest, CountsAsLateWhatAPartitionSaysThatWakesUpBehindTheOthers) {
  Use(kFeedback, 2);
  joiner_->SetIdle(1);
  Add(Shown("a", 1000), 0);

  Add(Shown("b", 200), 1);

  EXPECT_EQ(joiner_->counts().late_impressions(), 1u);
  EXPECT_EQ(joiner_->watermark_ms(), 995'000) << "a watermark never falls";
}

TEST_F(JoinerTest, LeavesToTheStoreWhatMemoryIsTooSmallFor) {
  Use(kFeedback);
  std::vector<StoreChange> changes;
  for (int i = 0; i < 600; ++i) {
    Add(Shown("r" + std::to_string(1000 + i), 100 + i / 100));
  }
  joiner_->open().ListChanges(changes);
  ASSERT_TRUE(store_.Commit(changes).ok());
  joiner_->open().NoteCommitted();
  joiner_->open().Shrink(0);
  EXPECT_EQ(joiner_->open().memory_bytes(), 0u);
  EXPECT_EQ(joiner_->open().on_disk(), 600u);

  Add(Happened("click", "r1300", 105));

  const std::vector<std::string> lines = End();
  ASSERT_EQ(lines.size(), 600u);
  EXPECT_EQ(lines[0], "r1000@200 0 - - -");
  EXPECT_EQ(lines[300], "r1300@203 1 0 0 1");
  EXPECT_EQ(joiner_->open().loads(), 600u);
}

}  // namespace
}  // namespace antiphon
