#include "stream/kafka_stream.h"

#include <algorithm>
#include <utility>

#include "common/base/logging.h"
#include "common/base/text.h"
#include "stream/away_watch.h"
#include "stream/kafka_client.h"

namespace antiphon {
namespace {

constexpr Duration kAskPatience = std::chrono::seconds(2);
// A partition that has been silent for so long: is it idle, or are its brokers away?
constexpr Duration kProbeAfter = std::chrono::seconds(5);

class KafkaRecordStream final : public RecordStream {
 public:
  KafkaRecordStream(const StreamConfig& config, const RecordStreamOptions& options,
                    std::unique_ptr<KafkaClient> client, Clock& clock)
      : config_(config),
        options_(options),
        client_(std::move(client)),
        clock_(clock),
        away_(clock, "Kafka at " + config.kafka().brokers(),
              std::chrono::milliseconds(config.away_ms())) {}

  Status Open(const std::string& partition, Position from, Beginning beginning) override;
  StatusOr<StreamRead> Next(Duration patience, StreamRecord& record) override;
  SourceReport report() const override;

 private:
  StatusOr<StreamRead> TakeMessage(const KafkaClient::Message& message, StreamRecord& record);
  // The next offset is not there. Finds the first that is, and goes on there if that is allowed.
  Status JumpTo(int64_t earliest);
  Status FindEarliest();
  Status Probe();
  std::string name() const { return topic_ + "/" + std::to_string(partition_); }

  const StreamConfig& config_;
  const RecordStreamOptions options_;
  const std::unique_ptr<KafkaClient> client_;
  Clock& clock_;
  AwayWatch away_;

  std::string topic_;
  int32_t partition_ = -1;
  int64_t next_ = 0;
  bool may_jump_ = true;    // nothing has been read yet, so nothing is missed
  bool must_find_ = false;  // next_ is gone, and the brokers have not said yet what is left
  bool ended_ = false;
  Time heard_at_{};
  SourceReport report_;
};

Status KafkaRecordStream::Open(const std::string& partition, Position from, Beginning beginning) {
  const size_t slash = partition.rfind('/');
  const std::string topic = partition.substr(0, slash);
  const auto number = static_cast<int32_t>(
      ParseUint(slash == std::string::npos ? "" : partition.substr(slash + 1)).value_or(0));
  const auto offset = static_cast<int64_t>(from);
  const bool goes_on = topic == topic_ && number == partition_ && offset == next_ && !must_find_;
  topic_ = topic;
  partition_ = number;
  next_ = offset;
  may_jump_ = beginning == Beginning::kFresh;
  must_find_ = false;
  ended_ = false;
  heard_at_ = clock_.Now();
  if (goes_on) {
    return Status();
  }
  if (beginning == Beginning::kResumed) {
    client_->Commit(topic_, partition_, offset);
  }
  return client_->Fetch(topic_, partition_, offset);
}

StatusOr<StreamRead> KafkaRecordStream::Next(Duration patience, StreamRecord& record) {
  if (ended_) {
    return StreamRead::kEnd;
  }
  if (must_find_) {
    AP_RETURN_IF_ERROR(FindEarliest());
    if (!must_find_) {
      AP_RETURN_IF_ERROR(client_->Fetch(topic_, partition_, next_));
    }
    return StreamRead::kNothing;
  }
  KafkaClient::Message message;
  const StatusOr<KafkaClient::Poll> poll = client_->Receive(patience, message);
  if (!poll.ok()) {
    if (poll.status().code() != StatusCode::kUnavailable) {
      return poll.status();
    }
    AP_RETURN_IF_ERROR(away_.NoteFailure(poll.status().message()));
    return StreamRead::kNothing;
  }
  switch (*poll) {
    case KafkaClient::Poll::kMessage:
      return TakeMessage(message, record);
    case KafkaClient::Poll::kOffsetGone:
      must_find_ = true;
      return StreamRead::kNothing;
    case KafkaClient::Poll::kNothing:
    case KafkaClient::Poll::kEnd:
      break;
  }
  AP_RETURN_IF_ERROR(Probe());
  return StreamRead::kNothing;
}

StatusOr<StreamRead> KafkaRecordStream::TakeMessage(const KafkaClient::Message& message,
                                                    StreamRecord& record) {
  away_.NoteAnswer();
  heard_at_ = clock_.Now();
  if (message.offset < next_) {
    return StreamRead::kNothing;  // of a fetch before the last Open
  }
  if (message.offset > next_ && !may_jump_) {
    // Compaction and transactions leave out offsets too. What retention took is below the first
    // that the broker has.
    must_find_ = true;
    AP_RETURN_IF_ERROR(FindEarliest());
    if (must_find_ || next_ > message.offset) {
      must_find_ = true;  // the message is fetched again
      return StreamRead::kNothing;
    }
  }
  may_jump_ = false;
  next_ = message.offset + 1;
  if (!config_.end_record().empty() && message.payload == config_.end_record()) {
    ended_ = true;
    return StreamRead::kEnd;
  }
  record = {.payload = message.payload,
            .reason = BadRowReason::kNone,
            .position = static_cast<Position>(message.offset),
            .next = static_cast<Position>(next_)};
  return StreamRead::kRecord;
}

Status KafkaRecordStream::FindEarliest() {
  const StatusOr<KafkaRange> range = client_->AskRange(topic_, partition_, kAskPatience);
  if (!range.ok()) {
    return range.status().code() == StatusCode::kUnavailable
               ? away_.NoteFailure(range.status().message())
               : range.status();
  }
  away_.NoteAnswer();
  must_find_ = false;
  if (range->end < next_) {
    return DataLossError("Kafka partition " + name() + " ends at offset " +
                         std::to_string(range->end) + ", but all before " + std::to_string(next_) +
                         " was trained: the topic is another one than it was");
  }
  return range->begin > next_ ? JumpTo(range->begin) : Status();
}

Status KafkaRecordStream::JumpTo(int64_t earliest) {
  if (!may_jump_) {
    const int64_t lost = earliest - next_;
    if (options_.gaps == GapPolicy::kRefuse) {
      return GapError("Kafka partition " + name(), std::to_string(next_), std::to_string(earliest),
                      lost);
    }
    LOG(WARNING) << "Kafka partition " << name() << ": passes over the gap from offset " << next_
                 << " to " << earliest;
    ++report_.gaps;
    report_.gap_positions += static_cast<uint64_t>(lost);
  }
  next_ = earliest;
  return Status();
}

Status KafkaRecordStream::Probe() {
  if (clock_.Now() - heard_at_ < kProbeAfter) {
    return Status();
  }
  heard_at_ = clock_.Now();
  const StatusOr<KafkaRange> range = client_->AskRange(topic_, partition_, kAskPatience);
  if (range.ok()) {
    away_.NoteAnswer();
    return Status();
  }
  return range.status().code() == StatusCode::kUnavailable
             ? away_.NoteFailure(range.status().message())
             : range.status();
}

SourceReport KafkaRecordStream::report() const {
  SourceReport report = report_;
  away_.TellIn(report);
  if (const std::optional<KafkaRange> range = client_->LastRange(topic_, partition_)) {
    report.is_known = true;
    report.behind = static_cast<uint64_t>(std::max<int64_t>(range->end - next_, 0));
  }
  return report;
}

// Asks until the brokers answer, or away_ms have passed.
template <typename Ask>
auto AskPatiently(const StreamConfig& config, Clock& clock, Ask ask) -> decltype(ask()) {
  AwayWatch away(clock, "Kafka at " + config.kafka().brokers(),
                 std::chrono::milliseconds(config.away_ms()));
  while (true) {
    auto answer = ask();
    if (answer.ok() || answer.status().code() != StatusCode::kUnavailable) {
      return answer;
    }
    if (const Status gone = away.NoteFailure(answer.status().message()); !gone.ok()) {
      return gone;
    }
  }
}

}  // namespace

StatusOr<std::unique_ptr<RecordStream>> MakeKafkaStream(const StreamConfig& config,
                                                        const RecordStreamOptions& options,
                                                        Clock& clock) {
  AP_ASSIGN_OR_RETURN(std::unique_ptr<KafkaClient> client, KafkaClient::Create(config));
  return std::unique_ptr<RecordStream>(
      new KafkaRecordStream(config, options, std::move(client), clock));
}

StatusOr<std::vector<int32_t>> KafkaPartitions(const StreamConfig& config, Clock& clock) {
  const std::string& topic = config.kafka().topic();
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<KafkaClient> client, KafkaClient::Create(config));
  AP_ASSIGN_OR_RETURN(std::vector<int32_t> has, AskPatiently(config, clock, [&] {
                        return client->AskPartitions(topic, kAskPatience);
                      }));
  if (config.kafka().partitions_size() == 0) {
    return has;
  }
  std::vector<int32_t> numbers;
  for (const uint32_t wanted : config.kafka().partitions()) {
    if (std::find(has.begin(), has.end(), static_cast<int32_t>(wanted)) == has.end()) {
      return InvalidArgumentError("data_config.stream.kafka.partitions: topic " + topic +
                                  " has no partition " + std::to_string(wanted) + ", it has " +
                                  std::to_string(has.size()));
    }
    numbers.push_back(static_cast<int32_t>(wanted));
  }
  return numbers;
}

StatusOr<std::vector<Partition>> PlanKafkaStream(const StreamConfig& config, Clock& clock) {
  const std::string& topic = config.kafka().topic();
  AP_ASSIGN_OR_RETURN(const std::vector<int32_t> numbers, KafkaPartitions(config, clock));
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<KafkaClient> client, KafkaClient::Create(config));
  std::vector<Partition> partitions;
  for (const int32_t number : numbers) {
    Partition& partition = partitions.emplace_back();
    partition.set_path(topic + "/" + std::to_string(number));
    int64_t begin = 0;
    if (config.start() == StreamConfig::LATEST) {
      AP_ASSIGN_OR_RETURN(const KafkaRange range, AskPatiently(config, clock, [&] {
                            return client->AskRange(topic, number, kAskPatience);
                          }));
      begin = range.end;
    } else if (config.start() == StreamConfig::TIME) {
      AP_ASSIGN_OR_RETURN(begin, AskPatiently(config, clock, [&] {
                            return client->AskOffsetAt(
                                topic, number, static_cast<int64_t>(config.start_time()) * 1000,
                                kAskPatience);
                          }));
    }
    partition.set_begin_position(static_cast<uint64_t>(begin));
  }
  return partitions;
}

}  // namespace antiphon
