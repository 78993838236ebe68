// KafkaLog: a topic of one partition that holds the records of pushed versions, for those who
// read it.
//
// Owned by one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "common/base/status.h"
#include "proto/push.pb.h"
#include "proto/stream.pb.h"
#include "serving/push/version_position.h"
#include "stream/kafka_client.h"

namespace antiphon {

class KafkaLog {
 public:
  // The last version that the topic has whole.
  struct Tail {
    VersionPosition position;
    uint64_t chain_begin = 0;  // as in its records
  };
  enum class Read : uint8_t { kRecord, kNothing, kGone, kEnd };

  // `config`: brokers, topic, properties. kInvalidArgument: librdkafka does not know a property.
  static StatusOr<std::unique_ptr<KafkaLog>> Create(const KafkaStream& config);

  // kUnavailable: no broker answers. kFailedPrecondition: the topic does not exist, or has other
  // than one partition.
  Status CheckTopic();
  StatusOr<KafkaRange> AskRange();
  // Reads from the topic's end backwards, a little and then more, up to `range`.begin.
  StatusOr<std::optional<Tail>> FindTail(const KafkaRange& range);

  // From now on records from `offset` on.
  Status ReadFrom(int64_t offset);
  // kGone: the broker has dropped the record that would be next. kEnd: there are no more by now.
  // The record is valid until the next call.
  StatusOr<Read> Next(Duration patience, std::span<const std::byte>& record, int64_t& offset);

  const std::string& name() const { return name_; }  // "kafka HOST:PORT/TOPIC"

 private:
  KafkaLog(const KafkaStream& config, std::unique_ptr<KafkaClient> client);

  StatusOr<std::optional<Tail>> LastWhole(int64_t from, int64_t end);

  const std::string topic_;
  const std::string name_;
  const std::unique_ptr<KafkaClient> client_;
};

}  // namespace antiphon
