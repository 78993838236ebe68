#include "stream/kafka_stream.h"
#include "stream/record_sink.h"

namespace antiphon {

StatusOr<std::vector<std::unique_ptr<RecordSink>>> MakeBrokerSinks(const StreamConfig& config,
                                                                   Clock& clock) {
  if (config.has_kafka()) {
    AP_ASSIGN_OR_RETURN(const std::vector<int32_t> partitions, KafkaPartitions(config, clock));
    return MakeKafkaSinks(config.kafka(), partitions);
  }
  if (config.has_redis()) {
    return MakeRedisSinks(config.redis());
  }
  return InvalidArgumentError("stream: has no broker, expected kafka or redis");
}

}  // namespace antiphon
