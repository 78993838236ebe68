#include "serving/push/version_receiver.h"

#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "serving/push/push_record.h"
#include "tests/serving/push/pushed_chain.h"

namespace antiphon {
namespace {

using ::testing::HasSubstr;

std::span<const std::byte> BytesOf(const std::string& record) {
  return std::as_bytes(std::span(record));
}

RecordFate Take(VersionReceiver& receiver, const std::string& record) {
  return receiver.Take(BytesOf(record));
}

void TakeAll(VersionReceiver& receiver, const std::vector<std::string>& records) {
  for (const std::string& record : records) {
    Take(receiver, record);
  }
}

TEST(VersionReceiverTest, HandsAVersionOutWhenItsLastPartHasCome) {
  PushedChain chain(1, 7);
  VersionReceiver receiver({});
  const std::vector<std::string> full = chain.NextStep();
  ASSERT_GE(full.size(), 3U);

  for (const std::string& record : full) {
    EXPECT_FALSE(receiver.Next().has_value());
    EXPECT_EQ(Take(receiver, record), RecordFate::kTaken);
  }

  const std::optional<ReceivedVersion> version = receiver.Next();
  ASSERT_TRUE(version.has_value());
  EXPECT_EQ(version->position(), chain.position());
  EXPECT_EQ(receiver.served(), chain.position());
  EXPECT_FALSE(receiver.needs_full());
  EXPECT_EQ(receiver.waiting_bytes(), 0U);
}

TEST(VersionReceiverTest, TellsPartsThatComeTwiceOrOutOfOrder) {
  PushedChain chain(1, 7);
  VersionReceiver receiver({});
  const std::vector<std::string> full = chain.NextStep();

  EXPECT_EQ(Take(receiver, full[2]), RecordFate::kEarly);
  EXPECT_EQ(Take(receiver, full[2]), RecordFate::kDuplicate);
  TakeAll(receiver, full);

  EXPECT_TRUE(receiver.Next().has_value());
  EXPECT_EQ(Take(receiver, full[0]), RecordFate::kDuplicate);
  EXPECT_EQ(receiver.counts().duplicate, 3U);
}

TEST(VersionReceiverTest, WaitsForWhatAStepGrowsFromAndSaysSo) {
  PushedChain chain(1, 7);
  VersionReceiver receiver({});
  TakeAll(receiver, chain.NextStep());
  ASSERT_TRUE(receiver.Next().has_value());
  const std::vector<std::string> second = chain.NextStep();
  const std::vector<std::string> third = chain.NextStep();

  TakeAll(receiver, third);

  EXPECT_FALSE(receiver.Next().has_value());
  EXPECT_THAT(receiver.need(), HasSubstr("version 3 grows from version 2"));
  EXPECT_EQ(receiver.counts().missing, 1U);

  TakeAll(receiver, second);

  EXPECT_EQ(receiver.Next()->signature.version(), 2U);
  EXPECT_EQ(receiver.Next()->signature.version(), 3U);
  EXPECT_FALSE(receiver.needs_full());
}

TEST(VersionReceiverTest, IsHealedByAllRowsOfTheVersionThatCouldNotConnect) {
  PushedChain chain(1, 7);
  VersionReceiver receiver({});
  TakeAll(receiver, chain.NextStep());
  ASSERT_TRUE(receiver.Next().has_value());
  chain.NextStep();
  TakeAll(receiver, chain.NextStep());
  ASSERT_TRUE(receiver.needs_full());

  TakeAll(receiver, chain.FullAgain());

  EXPECT_EQ(receiver.Next()->position(), chain.position());
  EXPECT_FALSE(receiver.Next().has_value());
  EXPECT_FALSE(receiver.needs_full());
  EXPECT_EQ(receiver.waiting_bytes(), 0U);
}

TEST(VersionReceiverTest, RefusesWhatIsOldAndWhatIsOfAnotherModel) {
  PushedChain chain(1, 7);
  PushedChain other(2, 7);
  VersionReceiver receiver({});
  const std::vector<std::string> first = chain.NextStep();
  TakeAll(receiver, first);
  ASSERT_TRUE(receiver.Next().has_value());
  TakeAll(receiver, chain.NextStep());
  ASSERT_TRUE(receiver.Next().has_value());

  EXPECT_EQ(Take(receiver, first[1]), RecordFate::kStale);
  EXPECT_EQ(Take(receiver, other.NextFull()[0]), RecordFate::kWrongModel);
}

TEST(VersionReceiverTest, GoesOnFromWhatWasServedBefore) {
  PushedChain chain(1, 7);
  chain.NextStep();
  VersionReceiver receiver({.served = chain.position()});

  TakeAll(receiver, chain.NextStep());

  EXPECT_EQ(receiver.Next()->signature.version(), 2U);
  EXPECT_EQ(Take(receiver, PushedChain(2, 1).NextFull()[0]), RecordFate::kWrongModel);
}

TEST(VersionReceiverTest, TellsARecordThatIsShortOrDamaged) {
  PushedChain chain(1, 7);
  VersionReceiver receiver({});
  const std::vector<std::string> full = chain.NextStep();
  std::string flipped = full[1];
  flipped[flipped.size() / 2] ^= 4;

  EXPECT_EQ(Take(receiver, full[0].substr(0, 10)), RecordFate::kTorn);
  EXPECT_EQ(Take(receiver, full[0].substr(0, full[0].size() - 1)), RecordFate::kTorn);
  EXPECT_EQ(Take(receiver, flipped), RecordFate::kTorn);

  EXPECT_EQ(receiver.counts().torn, 3U);
  EXPECT_TRUE(receiver.needs_full());
  TakeAll(receiver, full);
  EXPECT_TRUE(receiver.Next().has_value());
  EXPECT_FALSE(receiver.needs_full());
}

// Changes a record of the newest version in a way that its checksum covers.
std::string Forged(const std::string& record, const std::function<void(PushRecord&)>& change) {
  PushRecord decoded = DecodePushRecord(BytesOf(record)).value();
  change(decoded);
  return EncodePushRecord(decoded).value();
}

TEST(VersionReceiverTest, GivesUpPartsThatContradictEachOther) {
  PushedChain chain(1, 7);
  VersionReceiver receiver({});
  const std::vector<std::string> full = chain.NextStep();
  Take(receiver, full[0]);

  EXPECT_EQ(Take(receiver, Forged(full[1], [](PushRecord& r) { r.set_parts(r.parts() + 1); })),
            RecordFate::kTorn);
  EXPECT_EQ(Take(receiver, full[2]), RecordFate::kTorn);

  TakeAll(receiver, full);
  EXPECT_EQ(receiver.Next()->position(), chain.position());
}

TEST(VersionReceiverTest, RefusesAWholeVersionWhoseFilesAreNotThoseOfItsSignature) {
  PushedChain chain(1, 7);
  VersionReceiver receiver({});
  std::vector<std::string> full = chain.NextStep();
  full.back() = Forged(full.back(), [](PushRecord& r) { (*r.mutable_bytes())[0] ^= 1; });

  TakeAll(receiver, full);

  EXPECT_FALSE(receiver.Next().has_value());
  EXPECT_EQ(receiver.counts().torn, 1U);
  EXPECT_THAT(receiver.need(), HasSubstr("is not the file that the signature names"));
}

TEST(VersionReceiverTest, KeepsNoMoreWaitingThanItMay) {
  PushedChain chain(1, 7);
  VersionReceiver receiver({.max_waiting_bytes = 3000});
  for (int i = 0; i < 20; ++i) {
    const std::vector<std::string> records = chain.NextStep();
    Take(receiver, records[1]);
    EXPECT_LE(receiver.waiting_bytes(), 3000U);
  }

  TakeAll(receiver, chain.FullAgain());

  EXPECT_EQ(receiver.Next()->position(), chain.position());
}

}  // namespace
}  // namespace antiphon
