#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "common/base/text.h"
#include "stream/away_watch.h"
#include "stream/kafka_client.h"
#include "stream/kafka_producer.h"
#include "stream/pause.h"
#include "stream/sample_sinks.h"

namespace antiphon {
namespace {

constexpr Duration kAskPatience = std::chrono::seconds(5);
constexpr Duration kCommitPatience = std::chrono::seconds(30);
constexpr Duration kRetryAfter = std::chrono::milliseconds(200);
constexpr uint64_t kEnded = std::numeric_limits<uint64_t>::max();  // a number that no sample has
constexpr int64_t kFirstLook = 4;  // messages at the end of a partition; a transaction's end is one

// Transactions do two things where the brokers know them: a group is there as a whole or not at
// all, and a joiner that was taken for dead can send nothing more. That no sample comes twice rests
// on the numbers alone.
class KafkaSampleSink final : public SampleSink {
 public:
  KafkaSampleSink(const StreamConfig& config, const std::vector<int32_t>& partitions, Clock& clock)
      : config_(config),
        asking_(config),
        away_(clock, "Kafka at " + config.kafka().brokers(),
              std::chrono::milliseconds(config.away_ms())) {
    ClientProperty& says_end = *asking_.mutable_kafka()->add_properties();
    says_end.set_name("enable.partition.eof");
    says_end.set_value("true");
    for (const int32_t partition : partitions) {
      outlets_.push_back({.partition = partition});
    }
  }

  Status Publish(const SampleGroup& group) override {
    return Patiently([&] { return TryPublish(group); });
  }

  Status End() override {
    return config_.end_record().empty() ? Status() : Patiently([&] { return TryEnd(); });
  }

 private:
  struct Outlet {
    int32_t partition = 0;
    uint64_t next = 0;  // all samples before this one are there
  };

  // Again and again while the brokers are away, each time from what they really have.
  template <typename Try>
  Status Patiently(Try attempt) {
    while (true) {
      const Status status = attempt();
      if (status.code() != StatusCode::kUnavailable) {
        if (status.ok()) {
          away_.NoteAnswer();
        }
        return status;
      }
      producer_.reset();
      AP_RETURN_IF_ERROR(away_.NoteFailure(status.message()));
      Pause(kRetryAfter);
    }
  }

  const std::string& topic() const { return config_.kafka().topic(); }
  std::string NameOf(const Outlet& outlet) const {
    return "Kafka partition " + topic() + "/" + std::to_string(outlet.partition);
  }

  // The same for every life of the joiner of these partitions, and for no other.
  std::string TransactionalId() const {
    std::string id = "antiphon-join/" + topic();
    for (const Outlet& outlet : outlets_) {
      id += "/" + std::to_string(outlet.partition);
    }
    return id;
  }

  Status Connect() {
    if (producer_ != nullptr) {
      return Status();
    }
    AP_ASSIGN_OR_RETURN(std::unique_ptr<KafkaProducer> producer,
                        KafkaProducer::Create(config_.kafka(), TransactionalId()));
    AP_RETURN_IF_ERROR(producer->TakeOver(kAskPatience));
    AP_ASSIGN_OR_RETURN(const std::unique_ptr<KafkaClient> client, KafkaClient::Create(asking_));
    for (Outlet& outlet : outlets_) {
      AP_RETURN_IF_ERROR(FindEnd(*client, outlet));
    }
    producer_ = std::move(producer);
    return Status();
  }

  // Looks farther and farther back for the last sample: markers of transactions, and messages of
  // those that were given up, take offsets too.
  Status FindEnd(KafkaClient& client, Outlet& outlet) const {
    AP_ASSIGN_OR_RETURN(const KafkaRange range,
                        client.AskRange(topic(), outlet.partition, kAskPatience));
    outlet.next = 0;
    for (int64_t look = kFirstLook; range.end > 0; look *= 8) {
      const int64_t from = std::max(range.begin, range.end - look);
      AP_ASSIGN_OR_RETURN(const std::optional<uint64_t> last, LastNumber(client, outlet, from));
      if (last.has_value()) {
        outlet.next = *last == kEnded ? kEnded : *last + 1;
        return Status();
      }
      if (from == range.begin) {
        break;
      }
    }
    if (range.end == 0) {
      return Status();
    }
    return FailedPreconditionError(
        NameOf(outlet) +
        " has had messages and keeps no numbered sample: it cannot be told which "
        "samples it has got. Keep messages longer than a joiner is away, or begin with an empty "
        "topic and an empty state");
  }

  StatusOr<std::optional<uint64_t>> LastNumber(KafkaClient& client, const Outlet& outlet,
                                               int64_t from) const {
    std::optional<uint64_t> last;
    AP_RETURN_IF_ERROR(client.Fetch(topic(), outlet.partition, from));
    KafkaClient::Message message;
    while (true) {
      AP_ASSIGN_OR_RETURN(const KafkaClient::Poll poll, client.Receive(kAskPatience, message));
      switch (poll) {
        case KafkaClient::Poll::kNothing:
          return UnavailableError(NameOf(outlet) + " does not give its last messages");
        case KafkaClient::Poll::kOffsetGone:
          return UnavailableError(NameOf(outlet) + " drops its last messages");
        case KafkaClient::Poll::kEnd:
          return last;
        case KafkaClient::Poll::kMessage:
          break;
      }
      if (const std::optional<uint64_t> number = ParseUint(client.Header(kKafkaNumberHeader))) {
        last = number;
      }
    }
  }

  // What was published before the group must be there.
  Status CheckLosses(const SampleGroup& group) const {
    for (size_t i = 0; i < outlets_.size(); ++i) {
      const uint64_t count = outlets_.size();
      // The last sample before the group that belongs here, if there is one.
      const uint64_t behind = (group.first + count - 1 - i) % count + 1;
      if (group.first < behind) {
        continue;
      }
      const uint64_t last = group.first - behind;
      if (outlets_[i].next <= last) {
        return DataLossError(NameOf(outlets_[i]) + " has its samples up to number " +
                             std::to_string(outlets_[i].next) + " and has acknowledged number " +
                             std::to_string(last) +
                             ": it has lost them, or is another topic than it was");
      }
    }
    return Status();
  }

  Status TryPublish(const SampleGroup& group) {
    AP_RETURN_IF_ERROR(Connect());
    AP_RETURN_IF_ERROR(CheckLosses(group));
    AP_RETURN_IF_ERROR(producer_->BeginTransaction());
    for (size_t i = 0; i < group.records.size(); ++i) {
      const uint64_t number = group.first + i;
      const Outlet& outlet = outlets_[number % outlets_.size()];
      if (number >= outlet.next) {
        AP_RETURN_IF_ERROR(
            producer_->Send(topic(), outlet.partition, group.records[i], std::to_string(number)));
      }
    }
    AP_RETURN_IF_ERROR(producer_->CommitTransaction(kCommitPatience));
    for (size_t i = 0; i < group.records.size(); ++i) {
      Outlet& outlet = outlets_[(group.first + i) % outlets_.size()];
      outlet.next = std::max(outlet.next, group.first + i + 1);
    }
    return Status();
  }

  Status TryEnd() {
    AP_RETURN_IF_ERROR(Connect());
    AP_RETURN_IF_ERROR(producer_->BeginTransaction());
    for (const Outlet& outlet : outlets_) {
      if (outlet.next != kEnded) {
        AP_RETURN_IF_ERROR(producer_->Send(topic(), outlet.partition, config_.end_record(),
                                           std::to_string(kEnded)));
      }
    }
    AP_RETURN_IF_ERROR(producer_->CommitTransaction(kCommitPatience));
    for (Outlet& outlet : outlets_) {
      outlet.next = kEnded;
    }
    return Status();
  }

  const StreamConfig& config_;
  StreamConfig asking_;  // of who reads what the partitions have
  AwayWatch away_;
  std::vector<Outlet> outlets_;
  std::unique_ptr<KafkaProducer> producer_;  // null: not connected
};

}  // namespace

StatusOr<std::unique_ptr<SampleSink>> MakeKafkaSampleSink(const StreamConfig& config,
                                                          const std::vector<int32_t>& partitions,
                                                          Clock& clock) {
  if (partitions.empty()) {
    return InvalidArgumentError("Kafka topic " + config.kafka().topic() + " has no partition");
  }
  return std::unique_ptr<SampleSink>(std::make_unique<KafkaSampleSink>(config, partitions, clock));
}

}  // namespace antiphon
