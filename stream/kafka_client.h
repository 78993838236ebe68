// KafkaClient: librdkafka's C interface as values and Statuses; nobody else includes its header.
//
// Owned by one thread; librdkafka has threads of its own, which fetch ahead up to prefetch_bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "proto/stream.pb.h"

namespace antiphon {

// First and last + 1 of the offsets that a partition has.
struct KafkaRange {
  int64_t begin = 0;
  int64_t end = 0;
};

class KafkaClient {
 public:
  enum class Poll : uint8_t {
    kMessage,
    kNothing,
    kOffsetGone,
    kEnd,  // there is nothing behind; said only with the property enable.partition.eof
  };

  struct Message {
    std::string_view payload;  // valid until the next Receive
    int64_t offset = 0;
  };

  static StatusOr<std::unique_ptr<KafkaClient>> Create(const StreamConfig& config);
  ~KafkaClient();
  KafkaClient(const KafkaClient&) = delete;
  KafkaClient& operator=(const KafkaClient&) = delete;

  // From now on messages of this partition, from `offset` on. Does not wait.
  Status Fetch(const std::string& topic, int32_t partition, int64_t offset);

  // kUnavailable: no broker answers, and librdkafka goes on trying. Another error is for good: the
  // topic does not exist, or access is refused.
  StatusOr<Poll> Receive(Duration patience, Message& message);
  // Of the message that Receive gave last: its header of this name; empty: it has none.
  std::string_view Header(const char* name) const;

  // Asks the brokers. kUnavailable: none has answered in time.
  StatusOr<KafkaRange> AskRange(const std::string& topic, int32_t partition, Duration patience);
  // As of the last fetch, without asking.
  std::optional<KafkaRange> LastRange(const std::string& topic, int32_t partition) const;
  StatusOr<std::vector<int32_t>> AskPartitions(const std::string& topic, Duration patience);
  // The first offset at or after this time; the end when there is none.
  StatusOr<int64_t> AskOffsetAt(const std::string& topic, int32_t partition, int64_t time_ms,
                                Duration patience);

  // Notes in the consumer group that all before `offset` is done; does not wait for the answer.
  void Commit(const std::string& topic, int32_t partition, int64_t offset);

 private:
  struct Handles;
  explicit KafkaClient(std::unique_ptr<Handles> handles);

  std::unique_ptr<Handles> handles_;
};

}  // namespace antiphon
