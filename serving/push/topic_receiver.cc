#include "serving/push/topic_receiver.h"

#include <optional>
#include <span>
#include <utility>

#include "common/base/logging.h"

namespace antiphon {
namespace {

constexpr Duration kPatience = std::chrono::milliseconds(200);

}  // namespace

TopicReceiver::TopicReceiver(const TopicReceiverOptions& options, std::unique_ptr<KafkaLog> log,
                             std::unique_ptr<ReceivedFolder> folder)
    : options_(options),
      log_(std::move(log)),
      folder_(std::move(folder)),
      receiver_({.served = folder_->served(), .model_id = options.model_id}) {}

StatusOr<std::unique_ptr<TopicReceiver>> TopicReceiver::Create(const TopicReceiverOptions& options,
                                                               FileSystem& fs) {
  AP_ASSIGN_OR_RETURN(std::unique_ptr<KafkaLog> log, KafkaLog::Create(options.kafka));
  AP_ASSIGN_OR_RETURN(std::unique_ptr<ReceivedFolder> folder,
                      ReceivedFolder::Open(fs, options.out));
  return std::unique_ptr<TopicReceiver>(
      new TopicReceiver(options, std::move(log), std::move(folder)));
}

Status TopicReceiver::Begin() {
  AP_RETURN_IF_ERROR(log_->CheckTopic());
  AP_ASSIGN_OR_RETURN(const KafkaRange range, log_->AskRange());
  const std::optional<int64_t> place = folder_->ReadPlace(log_->name());
  const bool is_there = place.has_value() && *place >= range.begin && *place <= range.end;
  AP_RETURN_IF_ERROR(log_->ReadFrom(is_there ? *place : range.begin));
  has_begun_ = true;
  return Status();
}

Status TopicReceiver::Run(const std::function<bool()>& stops) {
  std::string said;  // of brokers that are away
  while (!stops()) {
    std::span<const std::byte> record;
    int64_t offset = 0;
    const Status begun = has_begun_ ? Status() : Begin();
    const StatusOr<KafkaLog::Read> read =
        begun.ok() ? log_->Next(kPatience, record, offset) : StatusOr<KafkaLog::Read>(begun);
    if (!read.ok() && read.status().code() != StatusCode::kUnavailable) {
      return read.status();
    }
    if (!read.ok()) {
      if (std::exchange(said, read.status().message()) != read.status().message()) {
        LOG(WARNING) << log_->name() << ": " << read.status();
      }
      continue;
    }
    switch (*read) {
      case KafkaLog::Read::kRecord:
        said.clear();
        AP_RETURN_IF_ERROR(Take(record, offset));
        break;
      case KafkaLog::Read::kGone:  // what the topic still has begins later
        has_begun_ = false;
        break;
      case KafkaLog::Read::kEnd:
        if (options_.ends_with_topic) {
          return Status();
        }
        break;
      case KafkaLog::Read::kNothing:
        break;
    }
  }
  return Status();
}

Status TopicReceiver::Take(std::span<const std::byte> record, int64_t offset) {
  receiver_.Take(record);
  while (const std::optional<ReceivedVersion> version = receiver_.Next()) {
    AP_RETURN_IF_ERROR(folder_->Install(*version));
    LOG(INFO) << log_->name() << ": serves version " << version->signature.version() << "; "
              << ReceiverSummary(receiver_.counts());
    if (receiver_.waiting_bytes() == 0) {
      AP_RETURN_IF_ERROR(folder_->WritePlace(log_->name(), offset + 1));
    }
  }
  SayNeed();
  return Status();
}

void TopicReceiver::SayNeed() {
  std::string need = receiver_.need();
  if (need != need_ && !need.empty()) {
    LOG(WARNING) << log_->name() << ": " << need
                 << "; what is served stays until a version with all rows comes; "
                 << ReceiverSummary(receiver_.counts());
  }
  need_ = std::move(need);
}

std::string ReceiverSummary(const ReceiverCounts& counts) {
  std::string text = std::to_string(counts.versions) + " versions, " +
                     std::to_string(counts.taken + counts.early) + " records taken";
  const auto add = [&text](uint64_t count, const char* what) {
    if (count > 0) {
      text += ", " + std::to_string(count) + " " + what;
    }
  };
  add(counts.early, "of them early");
  add(counts.duplicate, "duplicate");
  add(counts.stale, "stale");
  add(counts.torn, "torn");
  add(counts.wrong_model, "of another model");
  add(counts.missing, "steps whose predecessor was missing");
  return text;
}

}  // namespace antiphon
