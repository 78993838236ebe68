#include "stream/redis_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace antiphon {
namespace {

using ::testing::HasSubstr;

TEST(RedisStreamTest, PacksIdsInTheirOrder) {
  EXPECT_EQ(*RedisPosition("0-1"), 1U);
  EXPECT_EQ(*RedisPosition("1700000000000-3"), uint64_t{1'700'000'000'000} << 22 | 3);
  EXPECT_LT(*RedisPosition("5-4194303"), *RedisPosition("6-0"));
  EXPECT_EQ(RedisId(*RedisPosition("1700000000000-3")), "1700000000000-3");
}

TEST(RedisStreamTest, RefusesIdsThatDoNotFit) {
  EXPECT_THAT(RedisPosition("5-4194304").status().message(), HasSubstr("does not fit"));
  EXPECT_THAT(RedisPosition("4398046511104-0").status().message(), HasSubstr("does not fit"));
  for (const char* id : {"", "5", "5-", "-5", "a-b"}) {
    EXPECT_THAT(RedisPosition(id).status().message(), HasSubstr("is not")) << id;
  }
}

TEST(RedisStreamTest, WantsAnAddressAndThePasswordThatIsNamed) {
  SystemClock clock;
  StreamConfig config;
  config.mutable_redis()->set_address("nowhere");
  EXPECT_THAT(MakeRedisStream(config, {}, clock).status().message(),
              HasSubstr("got \"nowhere\", expected host:port"));

  config.mutable_redis()->set_address("127.0.0.1:1");
  config.mutable_redis()->set_password_env("ANTIPHON_NO_SUCH_VARIABLE");
  EXPECT_THAT(MakeRedisStream(config, {}, clock).status().message(),
              HasSubstr("the environment has no ANTIPHON_NO_SUCH_VARIABLE"));
}

TEST(RedisStreamTest, WaitsForAServerThatIsAwayAndThenGivesUp) {
  SystemClock clock;
  StreamConfig config;
  config.set_away_ms(500);
  config.mutable_redis()->set_address("127.0.0.1:1");
  const StatusOr<std::unique_ptr<RecordStream>> stream = MakeRedisStream(config, {}, clock);
  ASSERT_TRUE(stream.ok());
  ASSERT_TRUE((*stream)->Open("key", 0, Beginning::kFresh).ok());

  StreamRecord record;
  StatusOr<StreamRead> read = (*stream)->Next(std::chrono::milliseconds(1), record);
  EXPECT_TRUE(read.ok());
  EXPECT_THAT((*stream)->report().away, HasSubstr("Redis at 127.0.0.1:1: "));
  while (read.ok()) {
    read = (*stream)->Next(std::chrono::milliseconds(20), record);
  }

  EXPECT_EQ(read.status().code(), StatusCode::kUnavailable);
  EXPECT_THAT(read.status().message(), HasSubstr("Redis at 127.0.0.1:1 has been away"));
}

}  // namespace
}  // namespace antiphon
