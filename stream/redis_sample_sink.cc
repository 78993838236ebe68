#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include "common/base/text.h"
#include "stream/away_watch.h"
#include "stream/pause.h"
#include "stream/redis_client.h"
#include "stream/sample_sinks.h"

namespace antiphon {
namespace {

constexpr size_t kSamplesATransaction = 2000;
constexpr Duration kRetryAfter = std::chrono::milliseconds(100);
constexpr std::string_view kEnded = "ended";

class RedisSampleSink final : public SampleSink {
 public:
  RedisSampleSink(const StreamConfig& config, std::unique_ptr<RedisClient> client, Clock& clock)
      : config_(config),
        marker_(config.redis().keys(0) + ":joined"),
        client_(std::move(client)),
        away_(clock, "Redis at " + config.redis().address(),
              std::chrono::milliseconds(config.away_ms())) {}

  Status Publish(const SampleGroup& group) override {
    size_t done = 0;
    while (done < group.records.size()) {
      const size_t count = std::min(kSamplesATransaction, group.records.size() - done);
      AP_RETURN_IF_ERROR(Patiently([&] { return TryPublish(group, done, count); }));
      done += count;
    }
    return Status();
  }

  Status End() override {
    return config_.end_record().empty() ? Status() : Patiently([&] { return TryEnd(); });
  }

 private:
  // False: somebody changed the marker meanwhile, or Redis is away.
  template <typename Try>
  Status Patiently(Try attempt) {
    while (true) {
      const StatusOr<bool> is_done = attempt();
      if (is_done.ok()) {
        away_.NoteAnswer();
        if (*is_done) {
          return Status();
        }
        continue;
      }
      if (is_done.status().code() != StatusCode::kUnavailable) {
        return is_done.status();
      }
      AP_RETURN_IF_ERROR(away_.NoteFailure(is_done.status().message()));
      Pause(kRetryAfter);
    }
  }

  // From now on a change of the marker breaks the next transaction: the one of a joiner that was
  // killed may still be under way.
  StatusOr<std::string> WatchMarker() {
    const RedisClient::Command commands[] = {{"WATCH", marker_}, {"GET", marker_}};
    AP_ASSIGN_OR_RETURN(const std::vector<RedisReply> replies,
                        client_->Call(commands, Duration::zero()));
    return std::string(replies[1].value().text());
  }

  StatusOr<bool> TryPublish(const SampleGroup& group, size_t begin, size_t count) {
    AP_ASSIGN_OR_RETURN(const std::string marker, WatchMarker());
    const uint64_t first = group.first + begin;
    const uint64_t next = ParseUint(marker).value_or(0);
    if (marker == kEnded || next >= first + count) {
      return true;
    }
    if (next != first) {
      return DataLossError("Redis key " + marker_ + " says that " + std::to_string(next) +
                           " samples are there, but " + std::to_string(first) +
                           " were acknowledged: the server has lost them, or is another one. "
                           "Redis keeps what it acknowledges with appendonly yes and, through a "
                           "power cut, appendfsync always");
    }
    std::vector<RedisClient::Command> changes;
    for (size_t i = 0; i < count; ++i) {
      changes.push_back(Add((first + i) % static_cast<uint64_t>(config_.redis().keys_size()),
                            group.records[begin + i]));
    }
    changes.push_back({"SET", marker_, std::to_string(first + count)});
    return Execute(std::move(changes));
  }

  StatusOr<bool> TryEnd() {
    AP_ASSIGN_OR_RETURN(const std::string marker, WatchMarker());
    if (marker == kEnded) {
      return true;
    }
    std::vector<RedisClient::Command> changes;
    for (int i = 0; i < config_.redis().keys_size(); ++i) {
      changes.push_back(Add(static_cast<uint64_t>(i), config_.end_record()));
    }
    changes.push_back({"SET", marker_, std::string(kEnded)});
    return Execute(std::move(changes));
  }

  RedisClient::Command Add(uint64_t key, const std::string& record) const {
    return {"XADD", config_.redis().keys(static_cast<int>(key)), "*",
            config_.redis().payload_field(), record};
  }

  // All of them or none; false: none, because the marker has changed.
  StatusOr<bool> Execute(std::vector<RedisClient::Command> changes) {
    changes.insert(changes.begin(), {"MULTI"});
    changes.push_back({"EXEC"});
    AP_ASSIGN_OR_RETURN(const std::vector<RedisReply> replies,
                        client_->Call(changes, Duration::zero()));
    return !replies.back().value().is_nil();
  }

  const StreamConfig& config_;
  const std::string marker_;
  const std::unique_ptr<RedisClient> client_;
  AwayWatch away_;
};

}  // namespace

StatusOr<std::unique_ptr<SampleSink>> MakeRedisSampleSink(const StreamConfig& config,
                                                          Clock& clock) {
  if (config.redis().keys().empty()) {
    return InvalidArgumentError("redis.keys: is missing, expected the streams of the samples");
  }
  AP_ASSIGN_OR_RETURN(std::unique_ptr<RedisClient> client, RedisClient::Create(config.redis()));
  return std::unique_ptr<SampleSink>(
      std::make_unique<RedisSampleSink>(config, std::move(client), clock));
}

}  // namespace antiphon
