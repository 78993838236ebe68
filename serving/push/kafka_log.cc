#include "serving/push/kafka_log.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "serving/push/push_record.h"

namespace antiphon {
namespace {

constexpr Duration kAskPatience = std::chrono::seconds(5);
constexpr int64_t kFirstLook = 16;

}  // namespace

KafkaLog::KafkaLog(const KafkaStream& config, std::unique_ptr<KafkaClient> client)
    : topic_(config.topic()),
      name_("kafka " + config.brokers() + "/" + config.topic()),
      client_(std::move(client)) {}

StatusOr<std::unique_ptr<KafkaLog>> KafkaLog::Create(const KafkaStream& config) {
  StreamConfig reading;
  *reading.mutable_kafka() = config;
  ClientProperty& says_end = *reading.mutable_kafka()->add_properties();
  says_end.set_name("enable.partition.eof");
  says_end.set_value("true");
  AP_ASSIGN_OR_RETURN(std::unique_ptr<KafkaClient> client, KafkaClient::Create(reading));
  return std::unique_ptr<KafkaLog>(new KafkaLog(config, std::move(client)));
}

Status KafkaLog::CheckTopic() {
  AP_ASSIGN_OR_RETURN(const std::vector<int32_t> partitions,
                      client_->AskPartitions(topic_, kAskPatience));
  if (partitions != std::vector<int32_t>{0}) {
    return FailedPreconditionError(name_ + " has " + std::to_string(partitions.size()) +
                                   " partitions, expected one: versions come in an order, and "
                                   "records of several partitions have none");
  }
  return Status();
}

StatusOr<KafkaRange> KafkaLog::AskRange() {
  return client_->AskRange(topic_, 0, kAskPatience);
}

StatusOr<std::optional<KafkaLog::Tail>> KafkaLog::FindTail(const KafkaRange& range) {
  for (int64_t look = kFirstLook;; look *= 8) {
    const int64_t from = std::max(range.begin, range.end - look);
    AP_ASSIGN_OR_RETURN(std::optional<Tail> tail, LastWhole(from, range.end));
    if (tail.has_value() || from == range.begin) {
      return tail;
    }
  }
}

StatusOr<std::optional<KafkaLog::Tail>> KafkaLog::LastWhole(int64_t from, int64_t end) {
  std::optional<Tail> last;
  if (from >= end) {
    return last;
  }
  std::map<std::pair<uint64_t, std::string>, std::set<uint32_t>> seen;  // parts of each version
  AP_RETURN_IF_ERROR(ReadFrom(from));
  std::span<const std::byte> bytes;
  int64_t offset = 0;
  do {
    AP_ASSIGN_OR_RETURN(const Read read, Next(kAskPatience, bytes, offset));
    if (read == Read::kEnd) {
      break;
    }
    if (read != Read::kRecord) {
      return UnavailableError(name_ + " does not give its last records");
    }
    const StatusOr<PushRecord> record = DecodePushRecord(bytes);
    if (!record.ok()) {
      continue;
    }
    std::set<uint32_t>& parts = seen[{record->version(), record->digest()}];
    parts.insert(record->part());
    if (parts.size() == record->parts()) {
      last = {.position = {.model_id = record->model_id(),
                           .version = record->version(),
                           .digest = record->digest()},
              .chain_begin = record->chain_begin()};
      parts.clear();
    }
  } while (offset + 1 < end);
  return last;
}

Status KafkaLog::ReadFrom(int64_t offset) {
  return client_->Fetch(topic_, 0, offset);
}

StatusOr<KafkaLog::Read> KafkaLog::Next(Duration patience, std::span<const std::byte>& record,
                                        int64_t& offset) {
  KafkaClient::Message message;
  AP_ASSIGN_OR_RETURN(const KafkaClient::Poll poll, client_->Receive(patience, message));
  switch (poll) {
    case KafkaClient::Poll::kNothing:
      return Read::kNothing;
    case KafkaClient::Poll::kOffsetGone:
      return Read::kGone;
    case KafkaClient::Poll::kEnd:
      return Read::kEnd;
    case KafkaClient::Poll::kMessage:
      break;
  }
  record = std::as_bytes(std::span(message.payload));
  offset = message.offset;
  return Read::kRecord;
}

}  // namespace antiphon
