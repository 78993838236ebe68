#include "serving/push/kafka_target.h"

#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "serving/push/push_record.h"
#include "serving/push/topic_receiver.h"
#include "tests/serving/push/disk_chain.h"

namespace antiphon {
namespace {

using ::testing::HasSubstr;

// librdkafka's mock cluster: brokers on 127.0.0.1 that keep some 5 MiB of a partition.
class MockCluster {
 public:
  MockCluster() {
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "log_level", "3", nullptr, 0);
    client_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, nullptr, 0);
    cluster_ = rd_kafka_mock_cluster_new(client_, 1);
    rd_kafka_mock_topic_create(cluster_, "versions", 1, 1);
    rd_kafka_mock_topic_create(cluster_, "wide", 2, 1);
  }
  ~MockCluster() {
    rd_kafka_mock_cluster_destroy(cluster_);
    rd_kafka_destroy(client_);
  }
  MockCluster(const MockCluster&) = delete;
  MockCluster& operator=(const MockCluster&) = delete;

  KafkaStream topic(const std::string& name) const {
    KafkaStream config;
    config.set_brokers(rd_kafka_mock_cluster_bootstraps(cluster_));
    config.set_topic(name);
    return config;
  }

 private:
  rd_kafka_t* client_;
  rd_kafka_mock_cluster_t* cluster_;
};

class KafkaTargetTest : public ::testing::Test {
 protected:
  KafkaTargetTest()
      : folder_(std::filesystem::path(::testing::TempDir()) /
                (::testing::UnitTest::GetInstance()->current_test_info()->name() +
                 std::string("-") + std::to_string(getpid()))),
        chain_(folder_ / "out", 7) {
    std::filesystem::create_directories(folder_ / "out");
  }
  ~KafkaTargetTest() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<KafkaTarget> Target() const {
    return KafkaTarget::Create(kafka_.topic("versions")).value();
  }
  Status Push(PushTarget& target) {
    return CatchUp(target, chain_.chain(), [](const std::optional<VersionPosition>&) {});
  }
  // Lets a host take what the topic has; its counts.
  ReceiverCounts Receive(const std::string& host) {
    const StatusOr<std::unique_ptr<TopicReceiver>> receiver =
        TopicReceiver::Create({.kafka = kafka_.topic("versions"),
                               .out = folder_ / host,
                               .model_id = {},
                               .ends_with_topic = true},
                              fs_);
    EXPECT_TRUE(receiver.ok()) << receiver.status();
    EXPECT_EQ((*receiver)->Run([] { return false; }), Status());
    return (*receiver)->receiver().counts();
  }
  void ExpectServed(const std::string& host, uint64_t version) {
    const StatusOr<ServedRows> rows = ReadFolderRows(fs_, folder_ / host);
    ASSERT_TRUE(rows.ok()) << rows.status();
    EXPECT_EQ(rows->signature.version(), version);
    EXPECT_EQ(rows->tables, chain_.TablesOf(version));
  }

  const std::filesystem::path folder_;
  PosixFileSystem fs_;
  MockCluster kafka_;
  DiskChain chain_;
};

TEST_F(KafkaTargetTest, BringsAChainToAHostAsADirectoryWithCurrent) {
  const std::unique_ptr<KafkaTarget> target = Target();
  chain_.NextFull(50'000);  // of more than one record a file
  ASSERT_EQ(Push(*target), Status());
  Receive("host");
  ExpectServed("host", 1);
  chain_.NextStep(20);
  chain_.NextStep(20);
  ASSERT_EQ(Push(*target), Status());

  const ReceiverCounts counts = Receive("host");

  ExpectServed("host", 3);
  EXPECT_EQ(counts.versions, 2U);
  EXPECT_EQ(counts.taken, 10U) << "what is installed is not read again";
}

TEST_F(KafkaTargetTest, GoesOnWhereAnExporterThatDiedHadStopped) {
  chain_.NextFull(100);
  chain_.NextStep(20);
  ASSERT_EQ(Push(*Target()), Status());
  chain_.NextStep(20);

  const std::unique_ptr<KafkaTarget> heir = Target();
  EXPECT_EQ((*heir->Position(chain_.model_id()))->version, 2U);
  ASSERT_EQ(Push(*heir), Status());

  EXPECT_EQ(Receive("host").duplicate, 0U);
  ExpectServed("host", 3);
}

TEST_F(KafkaTargetTest, PutsAVersionThatWasBrokenOffThereAgain) {
  chain_.NextFull(100);
  ASSERT_EQ(Push(*Target()), Status());
  chain_.NextStep(20);
  // What an exporter leaves that dies between two records.
  KafkaLog::Tail tail;
  {
    const std::unique_ptr<KafkaLog> log = KafkaLog::Create(kafka_.topic("versions")).value();
    tail = **log->FindTail(log->AskRange().value());
  }
  PushRecord record;
  record.set_model_id(chain_.model_id());
  record.set_version(2);
  record.set_digest(chain_.chain().back().digest);
  *record.mutable_step() = chain_.chain().back().signature.step();
  record.set_parts(5);
  record.set_file("signature.json");
  record.set_bytes("{");
  record.set_chain_begin(tail.chain_begin);
  {
    const std::unique_ptr<KafkaProducer> dying =
        KafkaProducer::Create(kafka_.topic("versions")).value();
    ASSERT_TRUE(dying->Send("versions", 0, EncodePushRecord(record).value()).ok());
    ASSERT_TRUE(dying->Flush().ok());
  }

  ASSERT_EQ(Push(*Target()), Status());

  Receive("host");
  ExpectServed("host", 2);
}

TEST_F(KafkaTargetTest, SendsTheChainAgainWhenTheTopicHasDroppedItsBeginning) {
  const std::unique_ptr<KafkaTarget> target = Target();
  chain_.NextFull(1000);
  ASSERT_EQ(Push(*target), Status());
  // The mock cluster keeps some 5 MiB: strangers push the beginning out.
  const std::unique_ptr<KafkaProducer> other =
      KafkaProducer::Create(kafka_.topic("versions")).value();
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(other->Send("versions", 0, std::string(900'000, 'x')).ok());
  }
  ASSERT_TRUE(other->Flush().ok());
  chain_.NextStep(20);

  ASSERT_EQ(Push(*target), Status());

  EXPECT_GT(Receive("host").torn, 0U);
  ExpectServed("host", 2);
}

TEST_F(KafkaTargetTest, RefusesATopicOfSeveralPartitions) {
  const Status status =
      KafkaTarget::Create(kafka_.topic("wide")).value()->Position(chain_.model_id()).status();
  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("/wide has 2 partitions, expected one"));
}

TEST_F(KafkaTargetTest, IsReadBackForAComparison) {
  chain_.NextFull(100);
  chain_.NextStep(20);
  ASSERT_EQ(Push(*Target()), Status());

  const StatusOr<ServedRows> rows = ReadKafkaRows(kafka_.topic("versions"), chain_.model_id());

  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ(rows->tables, chain_.TablesOf(2));
}

}  // namespace
}  // namespace antiphon
