// KafkaProducer: librdkafka's producing side as Statuses.
//
// Idempotent: a retry of librdkafka's own doubles and reorders nothing. Owned by one thread;
// librdkafka has threads of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "proto/stream.pb.h"

namespace antiphon {

// The header of a message that is a numbered sample, its number in digits.
inline constexpr char kKafkaNumberHeader[] = "antiphon-sample";

class KafkaProducer {
 public:
  // With a `transactional_id` messages are sent in transactions, and a producer that had the same
  // one before can send no more. kInvalidArgument: librdkafka does not know a property.
  static StatusOr<std::unique_ptr<KafkaProducer>> Create(const KafkaStream& config,
                                                         const std::string& transactional_id = "");
  ~KafkaProducer();
  KafkaProducer(const KafkaProducer&) = delete;
  KafkaProducer& operator=(const KafkaProducer&) = delete;

  // kUnavailable: not all is done in time, and might be after more of it. kFailedPrecondition: for
  // good, such as a topic that does not exist, or somebody else who sends in our place.

  // Once, before the first transaction: ends what another producer of this name has begun.
  Status TakeOver(Duration patience);
  Status BeginTransaction();
  // All messages of the transaction are there, or an error: then none may be, or all.
  Status CommitTransaction(Duration patience);

  // Takes the message; may wait for room. `number`: for kKafkaNumberHeader; empty: without.
  Status Send(const std::string& topic, int32_t partition, std::string_view payload,
              std::string_view number = {});
  // All that was sent is where readers find it.
  Status Flush();

 private:
  struct Handles;
  KafkaProducer(std::string name, std::unique_ptr<Handles> handles);

  const std::string name_;  // for errors
  const std::unique_ptr<Handles> handles_;
};

}  // namespace antiphon
