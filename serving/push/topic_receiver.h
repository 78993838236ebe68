// TopicReceiver: keeps a host's directory of versions as new as a Kafka topic.
//
// Owned by one thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/base/file_system.h"
#include "common/base/status.h"
#include "proto/stream.pb.h"
#include "serving/push/kafka_log.h"
#include "serving/push/received_folder.h"
#include "serving/push/version_receiver.h"

namespace antiphon {

struct TopicReceiverOptions {
  KafkaStream kafka;
  std::string out;
  std::string model_id;  // empty: the model of `out`, or the first that comes
  bool ends_with_topic = false;
};

class TopicReceiver {
 public:
  static StatusOr<std::unique_ptr<TopicReceiver>> Create(const TopicReceiverOptions& options,
                                                         FileSystem& fs);

  // Until `stops` says so, which is asked several times a second, or the topic ends where that was
  // asked for. Brokers that are away are waited for; an error of the disk ends it.
  Status Run(const std::function<bool()>& stops);

  const VersionReceiver& receiver() const { return receiver_; }

 private:
  TopicReceiver(const TopicReceiverOptions& options, std::unique_ptr<KafkaLog> log,
                std::unique_ptr<ReceivedFolder> folder);

  // Finds the place to go on from.
  Status Begin();
  Status Take(std::span<const std::byte> record, int64_t offset);
  void SayNeed();

  const TopicReceiverOptions options_;
  const std::unique_ptr<KafkaLog> log_;
  const std::unique_ptr<ReceivedFolder> folder_;
  VersionReceiver receiver_;
  bool has_begun_ = false;
  std::string need_;  // as it was said last
};

// "12 records taken, 3 duplicate, ...": those that there were.
std::string ReceiverSummary(const ReceiverCounts& counts);

}  // namespace antiphon
