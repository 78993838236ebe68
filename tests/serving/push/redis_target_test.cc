#include "serving/push/redis_target.h"

#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "serving/push/redis_keys.h"
#include "serving/push/sink_thread.h"
#include "stream/pause.h"
#include "tests/serving/push/disk_chain.h"
#include "tests/serving/push/redis_process.h"

namespace antiphon {
namespace {

using ::testing::HasSubstr;

class RedisTargetTest : public ::testing::Test {
 protected:
  RedisTargetTest()
      : folder_(std::filesystem::path(::testing::TempDir()) /
                (::testing::UnitTest::GetInstance()->current_test_info()->name() +
                 std::string("-") + std::to_string(getpid()))),
        redis_(MakeFolder("redis")),
        chain_(MakeFolder("out"), 7) {}
  ~RedisTargetTest() override {
    redis_.Kill();
    std::filesystem::remove_all(folder_);
  }

  std::string MakeFolder(const std::string& name) const {
    std::filesystem::create_directories(folder_ / name);
    return folder_ / name;
  }
  std::unique_ptr<RedisTarget> Target(const std::string& writer = "me") const {
    return RedisTarget::Create({.address = redis_.address(), .writer = writer}).value();
  }
  Status Push(PushTarget& target) {
    return CatchUp(target, chain_.chain(), [](const std::optional<VersionPosition>&) {});
  }
  void ExpectServed(uint64_t version) {
    const StatusOr<ServedRows> rows = ReadRedisRows(redis_.address(), chain_.model_id());
    ASSERT_TRUE(rows.ok()) << rows.status();
    EXPECT_EQ(rows->signature.version(), version);
    EXPECT_EQ(rows->tables, chain_.TablesOf(version));
    EXPECT_EQ(rows->state, "state.bin of " + std::to_string(version));
  }
  size_t RowsInRedis() {
    return static_cast<size_t>(redis_.Ask({"DBSIZE"}).value().integer()) -
           3;  // meta, files, writer
  }
  size_t RowsOf(uint64_t version) const {
    size_t rows = 0;
    for (const auto& [name, table] : chain_.TablesOf(version)) {
      rows += table.size();
    }
    return rows;
  }

  const std::filesystem::path folder_;
  RedisProcess redis_;
  DiskChain chain_;
};

TEST_F(RedisTargetTest, ServesEveryVersionOfAChainAndThenTheNextChain) {
  const std::unique_ptr<RedisTarget> target = Target();
  chain_.NextFull(2500);
  ASSERT_EQ(Push(*target), Status());
  ExpectServed(1);
  for (int step = 0; step < 3; ++step) {
    chain_.NextStep(40);
    ASSERT_EQ(Push(*target), Status());
    ExpectServed(chain_.version());
  }

  chain_.NextFull(10);
  ASSERT_EQ(Push(*target), Status());

  ExpectServed(5);
  EXPECT_EQ(RowsInRedis(), RowsOf(5)) << "rows of the chain before are left";
}

TEST_F(RedisTargetTest, SaysWithEachRowWhichVersionBroughtIt) {
  const std::unique_ptr<RedisTarget> target = Target();
  chain_.NextFull(1);
  chain_.NextStep(30);
  ASSERT_EQ(Push(*target), Status());
  const RedisReply meta = redis_.Ask({"HGETALL", RedisMetaKey(chain_.model_id())});
  EXPECT_EQ(meta.value().Find("version").text(), "2");
  EXPECT_EQ(meta.value().Find("base").text(), "1");
  EXPECT_EQ(meta.value().Find("sequence").text(), "1");
  EXPECT_EQ(meta.value().Find("cut_ms").text(), "2000");

  const auto& [key, row] = *chain_.TablesOf(2).at("user").begin();
  const RedisReply value = redis_.Ask(
      {"GET",
       RedisRowKey(RedisTablePrefix(chain_.model_id(),
                                    std::string(meta.value().Find("generation").text()), "user"),
                   key)});

  EXPECT_THAT(value.value().text(), ::testing::EndsWith(row));
  EXPECT_EQ(value.value().text().size(), kRedisRowPrefix + row.size());
}

TEST_F(RedisTargetTest, GoesOnWhereAnExporterThatDiedHadStopped) {
  chain_.NextFull(50);
  ASSERT_EQ(Push(*Target("first")), Status());
  chain_.NextStep(50);
  chain_.NextStep(50);

  ASSERT_EQ(Push(*Target("second")), Status());

  ExpectServed(3);
}

TEST_F(RedisTargetTest, FencesAnExporterThatWasTakenForDead) {
  const std::unique_ptr<RedisTarget> old = Target("old");
  chain_.NextFull(50);
  ASSERT_EQ(Push(*old), Status());
  chain_.NextStep(50);
  ASSERT_EQ(Push(*Target("new")), Status());
  chain_.NextStep(50);

  const Status refused = Push(*old);

  EXPECT_EQ(refused.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(refused.message(), HasSubstr("another exporter pushes model"));
  ExpectServed(2);
}

TEST_F(RedisTargetTest, ServesTheSameAfterRedisWasKilledInTheMiddleOfAPush) {
  SystemClock clock;
  PosixFileSystem fs;
  SinkBoard board(fs, MakeFolder("out"));
  SinkThread sink(Target(), clock, board);
  for (int round = 0; round < 3; ++round) {
    chain_.NextFull(20000);
    const int64_t before = redis_.Ask({"DBSIZE"}).value().integer();
    ASSERT_TRUE(sink.CatchUp(chain_.chain()).ok());
    while (redis_.Ask({"DBSIZE"}).value().integer() < before + 2000) {
      Pause(std::chrono::milliseconds(1));
    }
    redis_.Kill();
    redis_.Start();
    chain_.NextStep(100);
    ASSERT_TRUE(sink.CatchUp(chain_.chain()).ok());
    while (board.report().sinks(0).version() != chain_.version()) {
      Pause(std::chrono::milliseconds(5));
    }
    ExpectServed(chain_.version());
  }
  EXPECT_EQ(board.report().sinks(0).behind(), 0U);
}

TEST_F(RedisTargetTest, BringsBackWhatRedisLostOfItsLastMoments) {
  // So that the file has what was acknowledged, and the test may choose what of it is lost.
  redis_.Ask({"CONFIG", "SET", "appendfsync", "always"});
  const std::unique_ptr<RedisTarget> target = Target();
  chain_.NextFull(200);
  ASSERT_EQ(Push(*target), Status());
  const std::filesystem::path log = [this] {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_ / "redis")) {
      if (entry.path().extension() == ".aof" && entry.file_size() > 10'000) {
        return entry.path();
      }
    }
    return std::filesystem::path();
  }();
  ASSERT_FALSE(log.empty());
  const uintmax_t then = std::filesystem::file_size(log);
  chain_.NextStep(100);
  ASSERT_EQ(Push(*target), Status());
  // Half of the step is lost, as a power cut does it.
  redis_.Kill();
  std::filesystem::resize_file(log, (then + std::filesystem::file_size(log)) / 2);
  redis_.Start();
  EXPECT_EQ(target->Position(chain_.model_id()).status().code(), StatusCode::kUnavailable)
      << "the connection is gone";
  ASSERT_EQ((*target->Position(chain_.model_id()))->version, 1U);

  ASSERT_EQ(Push(*target), Status());

  ExpectServed(2);
}

TEST_F(RedisTargetTest, NamesKeyAndPeerWhenRedisRefuses) {
  redis_.Ask({"SET", RedisMetaKey(chain_.model_id()), "mine"});
  chain_.NextFull(10);
  EXPECT_THAT(Push(*Target()).message(),
              ::testing::AllOf(HasSubstr("HGETALL ap:00000000000000aa"), HasSubstr("WRONGTYPE"),
                               HasSubstr(redis_.address().server.address())));
  redis_.Ask({"DEL", RedisMetaKey(chain_.model_id())});

  redis_.Ask({"CONFIG", "SET", "maxmemory", "1"});
  EXPECT_THAT(Push(*Target()).message(), HasSubstr("OOM"));
  redis_.Ask({"CONFIG", "SET", "maxmemory", "0"});

  redis_.Ask({"CONFIG", "SET", "min-replicas-to-write", "1"});
  EXPECT_THAT(Push(*Target()).message(), HasSubstr("NOREPLICAS"));
  redis_.Ask({"CONFIG", "SET", "min-replicas-to-write", "0"});

  EXPECT_EQ(Push(*Target()), Status());
  redis_.Ask({"CONFIG", "SET", "requirepass", "secret"});
  EXPECT_THAT(Push(*Target()).message(), HasSubstr("NOAUTH"));
}

}  // namespace
}  // namespace antiphon
