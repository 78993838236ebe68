#include "join/join_rules.h"

#include <string>

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

namespace antiphon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

StatusOr<JoinRules> Make(const std::string& text) {
  JoinConfig config;
  CHECK(google::protobuf::TextFormat::ParseFromString(text, &config));
  return MakeJoinRules(config);
}

TEST(JoinRulesTest, NamesTheColumnsOfSamplesInOrder) {
  const StatusOr<JoinRules> rules = Make(R"(feedback { kind: "click" window_seconds: 60 }
              feedback { kind: "gift" label_field: "paid" window_seconds: 600 given: "click"
                         late_field: "late" never_field: "never" }
              emit: EARLY early_seconds: 30)");

  ASSERT_TRUE(rules.ok()) << rules.status();
  EXPECT_THAT(rules->columns, ElementsAre("click", "paid", "late", "never"));
  EXPECT_EQ(rules->wait_ms, 30'000);
  EXPECT_EQ(rules->open_ms, 600'000);
  EXPECT_EQ(rules->feedback[1].given, 0u);
}

struct BadConfig {
  const char* name;
  const char* text;
  const char* error;
};

class BadJoinConfigTest : public ::testing::TestWithParam<BadConfig> {};

TEST_P(BadJoinConfigTest, IsRefusedByTheNameOfTheField) {
  const StatusOr<JoinRules> rules = Make(GetParam().text);

  ASSERT_FALSE(rules.ok());
  EXPECT_THAT(rules.status().message(), HasSubstr(GetParam().error));
}

INSTANTIATE_TEST_SUITE_P(
    Configs, BadJoinConfigTest,
    ::testing::Values(
        BadConfig{"Nothing", "", "join.feedback: is missing"},
        BadConfig{"NoKind", "feedback { window_seconds: 1 }", "feedback[0].kind: is missing"},
        BadConfig{"NoWindow", R"(feedback { kind: "a" })",
                  "feedback[0].window_seconds: is missing"},
        BadConfig{"Twice",
                  R"(feedback { kind: "a" window_seconds: 1 }
                     feedback { kind: "a" window_seconds: 1 })",
                  "feedback[1].kind: a is listed twice"},
        BadConfig{"ItsOwnImpression", R"(feedback { kind: "impression" window_seconds: 1 })",
                  "is the impression_kind"},
        BadConfig{"GivenWhatComesLater", R"(feedback { kind: "a" window_seconds: 1 given: "b" })",
                  "feedback[0].given: b is not the kind of an entry before it"},
        BadConfig{"GivenANumber",
                  R"(feedback { kind: "a" window_seconds: 1 value: SUM }
                     feedback { kind: "b" window_seconds: 1 given: "a" })",
                  "expected one that HAPPENED"},
        BadConfig{"HelpersOfANumber",
                  R"(feedback { kind: "a" window_seconds: 1 value: LAST late_field: "x" })",
                  "is for a label that HAPPENED"},
        BadConfig{"SameColumn",
                  R"(feedback { kind: "a" window_seconds: 1 }
                     feedback { kind: "b" window_seconds: 1 label_field: "a" })",
                  "two labels have the name a"},
        BadConfig{"EarlyWithoutSeconds", R"(feedback { kind: "a" window_seconds: 1 } emit: EARLY)",
                  "early_seconds: is missing"},
        BadConfig{"SecondsWithoutEarly",
                  R"(feedback { kind: "a" window_seconds: 1 } early_seconds: 1)",
                  "is read with emit: EARLY only"},
        BadConfig{"EarlyLaterThanClosed",
                  R"(feedback { kind: "a" window_seconds: 9 } emit: EARLY early_seconds: 10)",
                  "longer than every window"}),
    [](const auto& bad) { return bad.param.name; });

}  // namespace
}  // namespace antiphon
