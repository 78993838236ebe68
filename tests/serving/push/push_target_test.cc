#include "serving/push/push_target.h"

#include <gtest/gtest.h>

#include "serving/push/sink_address.h"
#include "serving/push/sink_thread.h"
#include "stream/pause.h"
#include "tests/support/memory_file_system.h"

namespace antiphon {
namespace {

// Versions `first` to `last`, the first with all rows.
VersionChain Chain(uint64_t first, uint64_t last, const std::string& digest = "d") {
  VersionChain chain;
  for (uint64_t version = first; version <= last; ++version) {
    VersionLink& link = chain.emplace_back();
    link.signature.set_model_id("m");
    link.signature.set_version(version);
    link.digest = digest + std::to_string(version);
    if (version > first) {
      link.signature.mutable_step()->set_base(first);
    }
  }
  return chain;
}

TEST(PushTargetTest, IsGivenTheStepsBehindItsPosition) {
  const VersionChain chain = Chain(5, 9);
  EXPECT_EQ(FirstMissing(PositionOf(chain[0]), chain), 1U);
  EXPECT_EQ(FirstMissing(PositionOf(chain[2]), chain), 3U);
  EXPECT_EQ(FirstMissing(PositionOf(chain[4]), chain), chain.size());
}

TEST(PushTargetTest, IsGivenTheWholeChainWhenItStandsElsewhere) {
  const VersionChain chain = Chain(5, 9);
  EXPECT_EQ(FirstMissing(std::nullopt, chain), 0U);
  EXPECT_EQ(FirstMissing(VersionPosition{.model_id = "n", .version = 7, .digest = "d7"}, chain),
            0U);
  EXPECT_EQ(FirstMissing(VersionPosition{.model_id = "m", .version = 7, .digest = "e7"}, chain),
            0U);
  EXPECT_EQ(FirstMissing(VersionPosition{.model_id = "m", .version = 3, .digest = "d3"}, chain),
            0U);
}

TEST(PushTargetTest, IsNotTakenBackToAnOlderVersion) {
  const VersionChain chain = Chain(5, 9);
  EXPECT_EQ(FirstMissing(VersionPosition{.model_id = "m", .version = 12, .digest = "x"}, chain),
            chain.size());
}

// In memory; away while it is told to be.
class FakeTarget final : public PushTarget {
 public:
  struct Server {
    Mutex mu;
    bool is_away AP_GUARDED_BY(mu) = false;
    std::optional<VersionPosition> position AP_GUARDED_BY(mu);
    std::vector<uint64_t> pushed AP_GUARDED_BY(mu);
  };

  explicit FakeTarget(Server& server) : server_(server) {}
  const std::string& name() const override { return name_; }
  StatusOr<std::optional<VersionPosition>> Position(const std::string&) override {
    const MutexLock lock(server_.mu);
    if (server_.is_away) {
      return UnavailableError("connection refused");
    }
    return server_.position;
  }
  Status Push(const VersionLink& link) override {
    const MutexLock lock(server_.mu);
    server_.position = PositionOf(link);
    server_.pushed.push_back(link.signature.version());
    return Status();
  }

 private:
  Server& server_;
  const std::string name_ = "fake";
};

class SinkThreadTest : public ::testing::Test {
 protected:
  SinkThreadTest() : board_(fs_, "/out") { EXPECT_TRUE(fs_.MakeDirectories("/out").ok()); }

  SinkState WaitFor(const std::function<bool(const SinkState&)>& holds) const {
    while (true) {
      const SinkReport report = board_.report();
      if (report.sinks_size() == 1 && holds(report.sinks(0))) {
        return report.sinks(0);
      }
      Pause(std::chrono::milliseconds(1));
    }
  }

  SystemClock clock_;
  MemoryFileSystem fs_;
  SinkBoard board_;
  FakeTarget::Server server_;
};

TEST_F(SinkThreadTest, SaysWhyASinkIsBehindAndCatchesUpWhenItIsBack) {
  {
    const MutexLock lock(server_.mu);
    server_.is_away = true;
  }
  SinkThread sink(std::make_unique<FakeTarget>(server_), clock_, board_);

  ASSERT_TRUE(sink.CatchUp(Chain(1, 3)).ok());
  const SinkState away = WaitFor([](const SinkState& state) { return state.has_error(); });
  EXPECT_EQ(SinkSummary(away), "without a version: connection refused");

  {
    const MutexLock lock(server_.mu);
    server_.is_away = false;
  }
  const SinkState back = WaitFor([](const SinkState& state) {
    return !state.has_error() && state.has_behind() && state.behind() == 0;
  });
  EXPECT_EQ(SinkSummary(back), "at version 3");
  EXPECT_NE(ReadWholeFile(fs_, "/out/sinks.json", 10'000)->find("\"version\": \"3\""),
            std::string::npos);
  const MutexLock lock(server_.mu);
  EXPECT_EQ(server_.pushed, (std::vector<uint64_t>{1, 2, 3}));
}

TEST_F(SinkThreadTest, ThatWaitsReturnsWhatBecameOfTheChain) {
  SinkThread sink(std::make_unique<FakeTarget>(server_), clock_, board_, SinkPace::kWait);
  EXPECT_TRUE(sink.CatchUp(Chain(1, 3)).ok());
  {
    const MutexLock lock(server_.mu);
    EXPECT_EQ(server_.pushed.size(), 3U);
    server_.is_away = true;
  }
  EXPECT_EQ(sink.CatchUp(Chain(1, 4)).message(), "connection refused");
}

TEST(SinkAddressTest, ReadsWhatCommandLinesSay) {
  EXPECT_EQ(RedisName(*ParseRedisAddress("cache:6379/2", "")), "redis cache:6379/2");
  const std::vector<std::string> properties = {"security.protocol=ssl"};
  const KafkaStream kafka = *ParseKafkaAddress("a:1,b:2/topic", properties);
  EXPECT_EQ(kafka.brokers(), "a:1,b:2");
  EXPECT_EQ(kafka.topic(), "topic");
  EXPECT_EQ(kafka.properties(0).value(), "ssl");
}

TEST(SinkAddressTest, RefusesOthers) {
  for (const char* text : {"", "cache", "cache:", ":1", "cache:70000", "cache:1/x"}) {
    EXPECT_EQ(ParseRedisAddress(text, "").status().code(), StatusCode::kInvalidArgument) << text;
  }
  for (const char* text : {"", "a:1", "a:1/", "a/topic", "a:1,b/topic"}) {
    EXPECT_EQ(ParseKafkaAddress(text, {}).status().code(), StatusCode::kInvalidArgument) << text;
  }
  const std::vector<std::string> properties = {"=x"};
  EXPECT_FALSE(ParseKafkaAddress("a:1/t", properties).ok());
}

}  // namespace
}  // namespace antiphon
