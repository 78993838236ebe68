#include "serving/push/sinks.h"

#include <array>
#include <unistd.h>
#include <utility>

#include "serving/push/kafka_target.h"
#include "serving/push/redis_target.h"
#include "serving/push/sink_address.h"

namespace antiphon {
namespace {

// Tells this process from every other that pushes, for machines and for people.
std::string WriterName(Clock& clock) {
  std::array<char, 256> host = {};
  if (gethostname(host.data(), host.size() - 1) != 0) {
    host = {'?'};
  }
  return std::string(host.data()) + ", process " + std::to_string(getpid()) + ", started at " +
         std::to_string(clock.WallSeconds());
}

}  // namespace

StatusOr<std::unique_ptr<Sinks>> Sinks::Create(const SinkOptions& options, FileSystem& fs,
                                               Clock& clock) {
  std::vector<std::unique_ptr<PushTarget>> targets;
  if (!options.redis.empty()) {
    AP_ASSIGN_OR_RETURN(const RedisAddress address,
                        ParseRedisAddress(options.redis, options.redis_password_env));
    AP_ASSIGN_OR_RETURN(std::unique_ptr<RedisTarget> target,
                        RedisTarget::Create({.address = address, .writer = WriterName(clock)}));
    targets.push_back(std::move(target));
  }
  if (!options.kafka.empty()) {
    AP_ASSIGN_OR_RETURN(const KafkaStream kafka,
                        ParseKafkaAddress(options.kafka, options.kafka_properties));
    AP_ASSIGN_OR_RETURN(std::unique_ptr<KafkaTarget> target, KafkaTarget::Create(kafka));
    targets.push_back(std::move(target));
  }
  std::unique_ptr<Sinks> sinks(new Sinks(options, fs));
  for (std::unique_ptr<PushTarget>& target : targets) {
    sinks->threads_.push_back(
        std::make_unique<SinkThread>(std::move(target), clock, sinks->board_, options.pace));
  }
  return sinks;
}

std::vector<VersionSink*> Sinks::all() const {
  std::vector<VersionSink*> all;
  for (const std::unique_ptr<SinkThread>& thread : threads_) {
    all.push_back(thread.get());
  }
  return all;
}

}  // namespace antiphon
