#include <span>
#include <vector>

#include "stream/record_sink.h"
#include "stream/redis_client.h"

namespace antiphon {
namespace {

constexpr size_t kBatch = 500;

class RedisSink final : public RecordSink {
 public:
  RedisSink(const RedisSinkOptions& options, std::unique_ptr<RedisClient> client)
      : options_(options), client_(std::move(client)) {}

  Status Append(std::string_view record) override {
    pending_.push_back({"XADD", options_.key, "*", options_.payload_field, std::string(record)});
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
  const RedisSinkOptions options_;
  const std::unique_ptr<RedisClient> client_;
  std::vector<RedisClient::Command> pending_;
};

}  // namespace

StatusOr<std::unique_ptr<RecordSink>> MakeRedisSink(const RedisSinkOptions& options) {
  RedisStream config;
  config.set_address(options.address);
  config.set_password_env(options.password_env);
  AP_ASSIGN_OR_RETURN(std::unique_ptr<RedisClient> client, RedisClient::Create(config));
  return std::unique_ptr<RecordSink>(new RedisSink(options, std::move(client)));
}

}  // namespace antiphon
