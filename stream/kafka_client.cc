#include "stream/kafka_client.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <utility>

#include <librdkafka/rdkafka.h>

#include "common/base/logging.h"
#include "stream/kafka_properties.h"

namespace antiphon {
namespace {

struct ListDeleter {
  void operator()(rd_kafka_topic_partition_list_t* list) const {
    rd_kafka_topic_partition_list_destroy(list);
  }
};
using PartitionList = std::unique_ptr<rd_kafka_topic_partition_list_t, ListDeleter>;

struct ConfDeleter {
  void operator()(rd_kafka_conf_t* conf) const { rd_kafka_conf_destroy(conf); }
};
using Conf = std::unique_ptr<rd_kafka_conf_t, ConfDeleter>;

struct MessageDeleter {
  void operator()(rd_kafka_message_t* message) const { rd_kafka_message_destroy(message); }
};
using OwnedMessage = std::unique_ptr<rd_kafka_message_t, MessageDeleter>;

int Milliseconds(Duration duration) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  return static_cast<int>(std::clamp<int64_t>(ms, 0, 3'600'000));
}

std::string NameOf(const std::string& topic, int32_t partition) {
  return "Kafka partition " + topic + "/" + std::to_string(partition);
}

PartitionList OnePartition(const std::string& topic, int32_t partition, int64_t offset) {
  PartitionList list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition)->offset = offset;
  return list;
}

Status Set(rd_kafka_conf_t* conf, const std::string& name, const std::string& value) {
  std::array<char, 512> error = {};
  if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), error.data(), error.size()) ==
      RD_KAFKA_CONF_OK) {
    return Status();
  }
  return InvalidArgumentError("data_config.stream.kafka: librdkafka property " + name + ": " +
                              error.data());
}

// Errors that more waiting does not heal.
bool IsForGood(rd_kafka_resp_err_t error) {
  switch (error) {
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR__FATAL:
      return true;
    default:
      return false;
  }
}

Status ErrorOf(const std::string& what, rd_kafka_resp_err_t error) {
  const std::string message = what + ": " + rd_kafka_err2str(error);
  return IsForGood(error) ? FailedPreconditionError(message) : UnavailableError(message);
}

// librdkafka is chatty about brokers that are away; AwayWatch says that once in a while.
void Log(const rd_kafka_t*, int level, const char* facility, const char* text) {
  constexpr int kSyslogError = 3;
  if (level < kSyslogError) {
    LOG(ERROR) << "librdkafka: " << facility << ": " << text;
  }
}

}  // namespace

struct KafkaClient::Handles {
  rd_kafka_t* client = nullptr;
  OwnedMessage message;  // the one that was received last
  std::atomic<bool> all_down = false;
  bool commits = false;

  Handles() = default;
  Handles(const Handles&) = delete;
  Handles& operator=(const Handles&) = delete;
  ~Handles() {
    message.reset();
    if (client != nullptr) {
      rd_kafka_consumer_close(client);
      rd_kafka_destroy(client);
    }
  }
};

KafkaClient::KafkaClient(std::unique_ptr<Handles> handles) : handles_(std::move(handles)) {}
KafkaClient::~KafkaClient() = default;

StatusOr<std::unique_ptr<KafkaClient>> KafkaClient::Create(const StreamConfig& config) {
  const KafkaStream& kafka = config.kafka();
  Conf conf(rd_kafka_conf_new());
  const std::string prefetch_kb =
      std::to_string(std::clamp<uint64_t>(config.prefetch_bytes() / 1024, 1, 2'097'151));
  const std::pair<std::string, std::string> ours[] = {
      {"bootstrap.servers", kafka.brokers()},
      {"group.id", kafka.group().empty() ? "antiphon" : kafka.group()},
      {"enable.auto.commit", "false"},
      {"auto.offset.reset", "error"},  // what is gone is ours to judge
      {"queued.max.messages.kbytes", prefetch_kb},
      {"queued.min.messages", "100000"},
      {"reconnect.backoff.max.ms", "1000"},
      {"fetch.wait.max.ms", "50"},
  };
  for (const auto& [name, value] : ours) {
    AP_RETURN_IF_ERROR(Set(conf.get(), name, value));
  }
  for (const ClientProperty& property : kafka.properties()) {
    AP_ASSIGN_OR_RETURN(const std::string value, ValueOf(property));
    AP_RETURN_IF_ERROR(Set(conf.get(), property.name(), value));
  }
  auto handles = std::make_unique<Handles>();
  handles->commits = !kafka.group().empty();
  rd_kafka_conf_set_log_cb(conf.get(), &Log);
  rd_kafka_conf_set_opaque(conf.get(), handles.get());
  rd_kafka_conf_set_error_cb(conf.get(), [](rd_kafka_t*, int error, const char*, void* opaque) {
    if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
      static_cast<Handles*>(opaque)->all_down = true;
    }
  });
  std::array<char, 512> error = {};
  handles->client = rd_kafka_new(RD_KAFKA_CONSUMER, conf.get(), error.data(), error.size());
  if (handles->client == nullptr) {
    return InvalidArgumentError(std::string("data_config.stream.kafka: ") + error.data());
  }
  (void)conf.release();  // the client's now
  rd_kafka_poll_set_consumer(handles->client);
  return std::unique_ptr<KafkaClient>(new KafkaClient(std::move(handles)));
}

Status KafkaClient::Fetch(const std::string& topic, int32_t partition, int64_t offset) {
  const PartitionList list = OnePartition(topic, partition, offset);
  const rd_kafka_resp_err_t error = rd_kafka_assign(handles_->client, list.get());
  return error == RD_KAFKA_RESP_ERR_NO_ERROR ? Status() : ErrorOf(NameOf(topic, partition), error);
}

StatusOr<KafkaClient::Poll> KafkaClient::Receive(Duration patience, Message& message) {
  handles_->message.reset(rd_kafka_consumer_poll(handles_->client, Milliseconds(patience)));
  const rd_kafka_message_t* received = handles_->message.get();
  if (received == nullptr) {
    if (handles_->all_down.exchange(false)) {
      return UnavailableError("all brokers are down");
    }
    return Poll::kNothing;
  }
  switch (received->err) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
      handles_->all_down = false;
      message.payload = {static_cast<const char*>(received->payload), received->len};
      message.offset = received->offset;
      return Poll::kMessage;
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
      return Poll::kOffsetGone;
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
      return Poll::kEnd;
    default:
      return ErrorOf("Kafka", received->err);
  }
}

std::string_view KafkaClient::Header(const char* name) const {
  rd_kafka_headers_t* headers = nullptr;
  const void* value = nullptr;
  size_t size = 0;
  if (rd_kafka_message_headers(handles_->message.get(), &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
      rd_kafka_header_get_last(headers, name, &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return {};
  }
  return {static_cast<const char*>(value), size};
}

StatusOr<KafkaRange> KafkaClient::AskRange(const std::string& topic, int32_t partition,
                                           Duration patience) {
  KafkaRange range;
  const rd_kafka_resp_err_t error = rd_kafka_query_watermark_offsets(
      handles_->client, topic.c_str(), partition, &range.begin, &range.end, Milliseconds(patience));
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return ErrorOf(NameOf(topic, partition), error);
  }
  return range;
}

std::optional<KafkaRange> KafkaClient::LastRange(const std::string& topic,
                                                 int32_t partition) const {
  KafkaRange range;
  const rd_kafka_resp_err_t error = rd_kafka_get_watermark_offsets(
      handles_->client, topic.c_str(), partition, &range.begin, &range.end);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR || range.end < 0) {
    return std::nullopt;
  }
  return range;
}

StatusOr<std::vector<int32_t>> KafkaClient::AskPartitions(const std::string& topic,
                                                          Duration patience) {
  rd_kafka_topic_t* handle = rd_kafka_topic_new(handles_->client, topic.c_str(), nullptr);
  const rd_kafka_metadata_t* metadata = nullptr;
  const rd_kafka_resp_err_t error =
      rd_kafka_metadata(handles_->client, 0, handle, &metadata, Milliseconds(patience));
  rd_kafka_topic_destroy(handle);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return ErrorOf("Kafka topic " + topic, error);
  }
  std::vector<int32_t> partitions;
  rd_kafka_resp_err_t topic_error = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
  for (int i = 0; i < metadata->topic_cnt; ++i) {
    topic_error = metadata->topics[i].err;
    for (int j = 0; j < metadata->topics[i].partition_cnt; ++j) {
      partitions.push_back(metadata->topics[i].partitions[j].id);
    }
  }
  rd_kafka_metadata_destroy(metadata);
  if (topic_error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return ErrorOf("Kafka topic " + topic, topic_error);
  }
  std::sort(partitions.begin(), partitions.end());
  return partitions;
}

StatusOr<int64_t> KafkaClient::AskOffsetAt(const std::string& topic, int32_t partition,
                                           int64_t time_ms, Duration patience) {
  const PartitionList list = OnePartition(topic, partition, time_ms);
  const rd_kafka_resp_err_t error =
      rd_kafka_offsets_for_times(handles_->client, list.get(), Milliseconds(patience));
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return ErrorOf(NameOf(topic, partition), error);
  }
  if (list->elems[0].offset >= 0) {
    return list->elems[0].offset;
  }
  AP_ASSIGN_OR_RETURN(const KafkaRange range, AskRange(topic, partition, patience));
  return range.end;
}

void KafkaClient::Commit(const std::string& topic, int32_t partition, int64_t offset) {
  if (handles_->commits) {
    const PartitionList list = OnePartition(topic, partition, offset);
    (void)rd_kafka_commit(handles_->client, list.get(), 1);  // 1: do not wait
  }
}

}  // namespace antiphon
