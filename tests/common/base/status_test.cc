#include "common/base/status.h"

#include <memory>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

namespace antiphon {
namespace {

TEST(StatusTest, SaysWhatWentWrongAndWhere) {
  const Status status = UnavailableError("no answer").WithContext("lane 3").WithContext("pull");

  EXPECT_EQ(status.ToString(), "Unavailable: pull: lane 3: no answer");
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_FALSE(status.ok());
}

TEST(StatusTest, StaysSuccessWhateverIsAdded) {
  EXPECT_TRUE(Status().WithContext("pull").ok());
  EXPECT_EQ(Status().ToString(), "Ok");
}

TEST(StatusTest, KnowsEveryCodeByNumberAndName) {
  for (int number = 0; number <= static_cast<int>(StatusCode::kUnknownHandle); ++number) {
    EXPECT_EQ(static_cast<int>(StatusCodeFromInt(number)), number);
    EXPECT_NE(StatusCodeName(StatusCodeFromInt(number)), "Unknown") << number;
  }
  EXPECT_EQ(StatusCodeFromInt(-1), StatusCode::kInternal);
  EXPECT_EQ(StatusCodeFromInt(1000), StatusCode::kInternal);
}

// The numbers travel on the wire.
TEST(StatusTest, KeepsItsNumbers) {
  EXPECT_EQ(static_cast<int>(StatusCode::kInvalidArgument), 1);
  EXPECT_EQ(static_cast<int>(StatusCode::kUnavailable), 7);
  EXPECT_EQ(static_cast<int>(StatusCode::kCancelled), 13);
  EXPECT_EQ(static_cast<int>(StatusCode::kUnknownHandle), 17);
}

StatusOr<int> Half(int number) {
  if (number % 2 != 0) {
    return InvalidArgumentError(std::to_string(number) + " is odd");
  }
  return number / 2;
}

StatusOr<int> Quarter(int number) {
  AP_ASSIGN_OR_RETURN(const int half, Half(number));
  AP_ASSIGN_OR_RETURN(const int quarter, Half(half));
  return quarter;
}

Status CheckHalf(int number) {
  AP_RETURN_IF_ERROR(Half(number).status());
  return Status();
}

TEST(StatusOrTest, CarriesAValueOrAReason) {
  EXPECT_EQ(*Quarter(12), 3);
  EXPECT_EQ(Quarter(6).status(), InvalidArgumentError("3 is odd"));
  EXPECT_EQ(Quarter(5).status(), InvalidArgumentError("5 is odd"));
  EXPECT_TRUE(CheckHalf(2).ok());
  EXPECT_EQ(CheckHalf(3).code(), StatusCode::kInvalidArgument);
}

TEST(StatusOrTest, MovesItsValueOut) {
  StatusOr<std::unique_ptr<int>> holder(std::make_unique<int>(7));

  const std::unique_ptr<int> value = *std::move(holder);

  EXPECT_EQ(*value, 7);
}

TEST(StatusOrDeathTest, StopsTheProcessWhenTheValueOfAnErrorIsUsed) {
  EXPECT_DEATH({ std::ostringstream() << *Quarter(5); }, "5 is odd");
}

}  // namespace
}  // namespace antiphon
