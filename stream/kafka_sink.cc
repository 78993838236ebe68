#include <array>
#include <atomic>
#include <utility>

#include <librdkafka/rdkafka.h>

#include "stream/record_sink.h"

namespace antiphon {
namespace {

constexpr int kFlushMs = 30'000;
constexpr int kPollMs = 100;

class KafkaSink final : public RecordSink {
 public:
  explicit KafkaSink(const KafkaSinkOptions& options) : options_(options) {}
  KafkaSink(const KafkaSink&) = delete;
  KafkaSink& operator=(const KafkaSink&) = delete;
  ~KafkaSink() override {
    if (producer_ != nullptr) {
      rd_kafka_destroy(producer_);
    }
  }

  // Idempotent: a retry of librdkafka's own doubles and reorders nothing.
  Status Connect() {
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    std::array<char, 512> error = {};
    for (const auto& [name, value] :
         {std::pair("bootstrap.servers", options_.brokers.c_str()),
          std::pair("enable.idempotence", "true"), std::pair("linger.ms", "5")}) {
      if (rd_kafka_conf_set(conf, name, value, error.data(), error.size()) != RD_KAFKA_CONF_OK) {
        rd_kafka_conf_destroy(conf);
        return InvalidArgumentError(error.data());
      }
    }
    rd_kafka_conf_set_opaque(conf, this);
    rd_kafka_conf_set_dr_msg_cb(conf,
                                [](rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
                                  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
                                    static_cast<KafkaSink*>(opaque)->failure_ = message->err;
                                  }
                                });
    producer_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error.data(), error.size());
    if (producer_ == nullptr) {
      rd_kafka_conf_destroy(conf);
      return InvalidArgumentError(error.data());
    }
    return Status();
  }

  Status Append(std::string_view record) override {
    while (true) {
      const rd_kafka_resp_err_t error = rd_kafka_producev(
          producer_, RD_KAFKA_V_TOPIC(options_.topic.c_str()),
          RD_KAFKA_V_PARTITION(options_.partition), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
          RD_KAFKA_V_VALUE(const_cast<char*>(record.data()), record.size()), RD_KAFKA_V_END);
      if (error != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        rd_kafka_poll(producer_, 0);
        return Failure(error);
      }
      rd_kafka_poll(producer_, kPollMs);
    }
  }

  Status Flush() override {
    AP_RETURN_IF_ERROR(Failure(rd_kafka_flush(producer_, kFlushMs)));
    return Failure(failure_);
  }

 private:
  Status Failure(rd_kafka_resp_err_t error) const {
    return error == RD_KAFKA_RESP_ERR_NO_ERROR
               ? Status()
               : UnavailableError("Kafka at " + options_.brokers + ", topic " + options_.topic +
                                  ": " + rd_kafka_err2str(error));
  }

  const KafkaSinkOptions options_;
  rd_kafka_t* producer_ = nullptr;
  rd_kafka_resp_err_t failure_ = RD_KAFKA_RESP_ERR_NO_ERROR;  // set inside poll and flush
};

}  // namespace

StatusOr<std::unique_ptr<RecordSink>> MakeKafkaSink(const KafkaSinkOptions& options) {
  auto sink = std::make_unique<KafkaSink>(options);
  AP_RETURN_IF_ERROR(sink->Connect());
  return std::unique_ptr<RecordSink>(std::move(sink));
}

}  // namespace antiphon
