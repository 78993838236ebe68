// KafkaTarget: versions as records of a topic with one partition, for receivers anywhere
// (serving/push/version_receiver.h).
//
// The producer is idempotent: what librdkafka retries is there once. How far the topic has come is
// read from its end. When its beginning has been dropped as far as into the chain that it ends
// with, a receiver that begins there could not put that together, so the whole chain is sent again.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "common/base/status.h"
#include "proto/stream.pb.h"
#include "serving/push/kafka_log.h"
#include "serving/push/push_target.h"
#include "stream/kafka_producer.h"

namespace antiphon {

class KafkaTarget final : public PushTarget {
 public:
  // kInvalidArgument: as KafkaProducer::Create.
  static StatusOr<std::unique_ptr<KafkaTarget>> Create(const KafkaStream& config);

  const std::string& name() const override { return log_->name(); }
  StatusOr<std::optional<VersionPosition>> Position(const std::string& model_id) override;
  Status Push(const VersionLink& link) override;

 private:
  KafkaTarget(const KafkaStream& config, std::unique_ptr<KafkaLog> log);

  Status Send(const VersionLink& link, uint64_t chain_begin, int64_t& sent);

  const KafkaStream config_;
  const std::unique_ptr<KafkaLog> log_;
  std::unique_ptr<KafkaProducer> producer_;  // null after a failure: its queue is lost
  // What the topic ended with when it ended at known_end_; nothing: it has to be read.
  std::optional<KafkaLog::Tail> tail_;
  int64_t known_end_ = -1;
};

}  // namespace antiphon
