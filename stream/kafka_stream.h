// KafkaStream: the records of a topic, by librdkafka. A position is an offset; a partition is named
// "topic/3".
//
// Positions come from the model's own snapshots. Nothing depends on the offsets that are committed
// to the consumer group: they are for dashboards, and for tools that show lag.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "stream/record_stream.h"

namespace antiphon {

// Connects in the background. kInvalidArgument: librdkafka does not know a property.
StatusOr<std::unique_ptr<RecordStream>> MakeKafkaStream(const StreamConfig& config,
                                                        const RecordStreamOptions& options,
                                                        Clock& clock);

// The partitions that the configuration names, or else all that the topic has. Waits for the
// brokers, away_ms at most.
StatusOr<std::vector<int32_t>> KafkaPartitions(const StreamConfig& config, Clock& clock);

// Waits for the brokers, too.
StatusOr<std::vector<Partition>> PlanKafkaStream(const StreamConfig& config, Clock& clock);

}  // namespace antiphon
