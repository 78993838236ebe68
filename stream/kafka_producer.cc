#include "stream/kafka_producer.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include <librdkafka/rdkafka.h>

#include "stream/kafka_properties.h"

namespace antiphon {
namespace {

constexpr int kFlushMs = 30'000;
constexpr int kPollMs = 100;

int Milliseconds(Duration duration) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  return static_cast<int>(std::clamp<int64_t>(ms, 0, 3'600'000));
}

Status ErrorOf(const std::string& name, rd_kafka_resp_err_t error) {
  const std::string message = name + ": " + rd_kafka_err2str(error);
  switch (error) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
      return Status();
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR__FENCED:
    case RD_KAFKA_RESP_ERR__FATAL:
      return FailedPreconditionError(message);
    default:
      return UnavailableError(message);
  }
}

// Takes the error over. Its text says more than its number.
Status ErrorOf(const std::string& name, rd_kafka_error_t* error) {
  if (error == nullptr) {
    return Status();
  }
  const std::string message = name + ": " + rd_kafka_error_string(error);
  const bool for_good = rd_kafka_error_is_fatal(error) != 0;
  rd_kafka_error_destroy(error);
  return for_good ? FailedPreconditionError(message) : UnavailableError(message);
}

}  // namespace

struct KafkaProducer::Handles {
  rd_kafka_t* producer = nullptr;
  rd_kafka_resp_err_t failure = RD_KAFKA_RESP_ERR_NO_ERROR;  // set inside poll and flush

  Handles() = default;
  Handles(const Handles&) = delete;
  Handles& operator=(const Handles&) = delete;
  ~Handles() {
    if (producer != nullptr) {
      rd_kafka_purge(producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
      rd_kafka_destroy(producer);
    }
  }
};

KafkaProducer::KafkaProducer(std::string name, std::unique_ptr<Handles> handles)
    : name_(std::move(name)), handles_(std::move(handles)) {}

KafkaProducer::~KafkaProducer() = default;

StatusOr<std::unique_ptr<KafkaProducer>> KafkaProducer::Create(
    const KafkaStream& config, const std::string& transactional_id) {
  std::vector<std::pair<std::string, std::string>> properties = {
      {"bootstrap.servers", config.brokers()},
      {"enable.idempotence", "true"},
      {"linger.ms", "5"},
      {"reconnect.backoff.max.ms", "1000"}};
  if (!transactional_id.empty()) {
    properties.emplace_back("transactional.id", transactional_id);
  }
  for (const ClientProperty& property : config.properties()) {
    AP_ASSIGN_OR_RETURN(std::string value, ValueOf(property));
    properties.emplace_back(property.name(), std::move(value));
  }
  std::array<char, 512> error = {};
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  for (const auto& [name, value] : properties) {
    if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), error.data(), error.size()) !=
        RD_KAFKA_CONF_OK) {
      rd_kafka_conf_destroy(conf);
      return InvalidArgumentError("kafka: librdkafka property " + name + ": " + error.data());
    }
  }
  auto handles = std::make_unique<Handles>();
  rd_kafka_conf_set_opaque(conf, handles.get());
  rd_kafka_conf_set_log_cb(conf, nullptr);  // errors come back from calls
  rd_kafka_conf_set_dr_msg_cb(conf,
                              [](rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
                                if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
                                  static_cast<Handles*>(opaque)->failure = message->err;
                                }
                              });
  handles->producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error.data(), error.size());
  if (handles->producer == nullptr) {
    rd_kafka_conf_destroy(conf);
    return InvalidArgumentError(std::string("kafka: ") + error.data());
  }
  return std::unique_ptr<KafkaProducer>(
      new KafkaProducer("Kafka at " + config.brokers(), std::move(handles)));
}

Status KafkaProducer::TakeOver(Duration patience) {
  return ErrorOf(name_, rd_kafka_init_transactions(handles_->producer, Milliseconds(patience)));
}

Status KafkaProducer::BeginTransaction() {
  return ErrorOf(name_, rd_kafka_begin_transaction(handles_->producer));
}

Status KafkaProducer::CommitTransaction(Duration patience) {
  AP_RETURN_IF_ERROR(
      ErrorOf(name_, rd_kafka_commit_transaction(handles_->producer, Milliseconds(patience))));
  return ErrorOf(name_, handles_->failure);
}

Status KafkaProducer::Send(const std::string& topic, int32_t partition, std::string_view payload,
                           std::string_view number) {
  while (true) {
    rd_kafka_headers_t* headers = nullptr;
    if (!number.empty()) {
      headers = rd_kafka_headers_new(1);
      rd_kafka_header_add(headers, kKafkaNumberHeader, -1, number.data(),
                          static_cast<ssize_t>(number.size()));
    }
    const rd_kafka_resp_err_t error =
        rd_kafka_producev(handles_->producer, RD_KAFKA_V_TOPIC(topic.c_str()),
                          RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                          RD_KAFKA_V_VALUE(const_cast<char*>(payload.data()), payload.size()),
                          RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR && headers != nullptr) {
      rd_kafka_headers_destroy(headers);
    }
    if (error != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
      rd_kafka_poll(handles_->producer, 0);
      return ErrorOf(name_ + ", topic " + topic, error);
    }
    rd_kafka_poll(handles_->producer, kPollMs);
  }
}

Status KafkaProducer::Flush() {
  AP_RETURN_IF_ERROR(ErrorOf(name_, rd_kafka_flush(handles_->producer, kFlushMs)));
  return ErrorOf(name_, handles_->failure);
}

}  // namespace antiphon
