#include <span>
#include <vector>

#include "stream/record_sink.h"
#include "stream/redis_client.h"

namespace antiphon {
namespace {

constexpr size_t kBatch = 500;

class RedisSink final : public RecordSink {
 public:
  RedisSink(std::string key, std::string payload_field, std::unique_ptr<RedisClient> client)
      : key_(std::move(key)),
        payload_field_(std::move(payload_field)),
        client_(std::move(client)) {}

  Status Append(std::string_view record) override {
    pending_.push_back({"XADD", key_, "*", payload_field_, std::string(record)});
    return pending_.size() < kBatch ? Status() : Flush();
  }

  Status Flush() override {
    if (!pending_.empty()) {
      AP_RETURN_IF_ERROR(client_->Call(pending_, Duration::zero()).status());
      pending_.clear();
    }
    return Status();
  }

 private:
  const std::string key_;
  const std::string payload_field_;
  const std::unique_ptr<RedisClient> client_;
  std::vector<RedisClient::Command> pending_;
};

}  // namespace

StatusOr<std::vector<std::unique_ptr<RecordSink>>> MakeRedisSinks(const RedisStream& config) {
  std::vector<std::unique_ptr<RecordSink>> sinks;
  for (const std::string& key : config.keys()) {
    AP_ASSIGN_OR_RETURN(std::unique_ptr<RedisClient> client, RedisClient::Create(config));
    sinks.push_back(std::make_unique<RedisSink>(key, config.payload_field(), std::move(client)));
  }
  return sinks;
}

}  // namespace antiphon
