#include "stream/redis_stream.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/base/logging.h"
#include "common/base/text.h"
#include "stream/away_watch.h"
#include "stream/pause.h"
#include "stream/redis_client.h"

namespace antiphon {
namespace {

constexpr uint64_t kMaxSequence = (uint64_t{1} << kRedisSequenceBits) - 1;
constexpr uint64_t kMaxMilliseconds = (uint64_t{1} << (64 - kRedisSequenceBits)) - 1;
constexpr uint64_t kMaxEntries = 2000;   // of one read
constexpr uint64_t kFirstEntries = 100;  // before it is known how large they are
constexpr Duration kRetryAfter = std::chrono::milliseconds(100);
constexpr Duration kMeasureEvery = std::chrono::seconds(1);

class RedisRecordStream final : public RecordStream {
 public:
  RedisRecordStream(const StreamConfig& config, const RecordStreamOptions& options,
                    std::unique_ptr<RedisClient> client, Clock& clock)
      : config_(config),
        options_(options),
        client_(std::move(client)),
        clock_(clock),
        away_(clock, "Redis at " + config.redis().address(),
              std::chrono::milliseconds(config.away_ms())) {}

  Status Open(const std::string& partition, Position from, Beginning beginning) override;
  StatusOr<StreamRead> Next(Duration patience, StreamRecord& record) override;
  SourceReport report() const override;

 private:
  Status Read(Duration patience);
  Status CheckGap(bool last_is_there);
  StatusOr<StreamRead> TakeEntry(StreamRecord& record);
  Status Measure();

  const StreamConfig& config_;
  const RecordStreamOptions options_;
  const std::unique_ptr<RedisClient> client_;
  Clock& clock_;
  AwayWatch away_;

  std::string key_;
  Position next_ = 0;
  bool last_was_read_ = false;  // the entry before next_ has been, so it must still be there
  bool ended_ = false;
  RedisReply reply_;  // what was read last
  RedisValue entries_{nullptr};
  size_t entry_ = 0;
  uint64_t entries_a_read_ = kFirstEntries;

  // How far behind: the entries that there were at a moment, what came since and what was read
  // since. Exact from the first time that nothing was left; before that, at most so many.
  uint64_t behind_then_ = 0;
  uint64_t added_then_ = 0;
  uint64_t added_now_ = 0;
  uint64_t read_since_ = 0;
  bool is_measured_ = false;
  bool is_caught_up_ = false;
  Time measure_at_{};
  SourceReport report_;
};

Status RedisRecordStream::Open(const std::string& partition, Position from, Beginning beginning) {
  if (partition != key_ || from != next_) {
    entries_ = RedisValue(nullptr);
    entry_ = 0;
    is_measured_ = false;
    is_caught_up_ = false;
    measure_at_ = Time{};
  }
  key_ = partition;
  next_ = from;
  last_was_read_ = beginning == Beginning::kResumed;
  ended_ = false;
  return Status();
}

StatusOr<StreamRead> RedisRecordStream::Next(Duration patience, StreamRecord& record) {
  if (ended_) {
    return StreamRead::kEnd;
  }
  if (entry_ >= entries_.size()) {
    const Status read = Read(patience);
    if (read.code() == StatusCode::kUnavailable) {
      AP_RETURN_IF_ERROR(away_.NoteFailure(read.message()));
      Pause(std::min(patience, kRetryAfter));
      return StreamRead::kNothing;
    }
    AP_RETURN_IF_ERROR(read);
    away_.NoteAnswer();
  }
  return entry_ < entries_.size() ? TakeEntry(record) : StatusOr<StreamRead>(StreamRead::kNothing);
}

// Asks for the entry before next_ after those behind it: if it is there now, nothing behind it had
// been trimmed when they were read.
Status RedisRecordStream::Read(Duration patience) {
  const auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(patience).count();
  const std::string last = next_ == 0 ? "0-0" : RedisId(next_ - 1);
  RedisClient::Command read = {"XREAD", "COUNT", std::to_string(entries_a_read_)};
  if (wait > 0) {
    read.insert(read.end(), {"BLOCK", std::to_string(wait)});
  }
  read.insert(read.end(), {"STREAMS", key_, last});
  std::vector<RedisClient::Command> commands = {std::move(read)};
  if (last_was_read_) {
    commands.push_back({"XRANGE", key_, last, last, "COUNT", "1"});
  }
  entries_ = RedisValue(nullptr);
  entry_ = 0;
  AP_ASSIGN_OR_RETURN(std::vector<RedisReply> replies, client_->Call(commands, patience));
  reply_ = std::move(replies[0]);
  // [[key, [[id, [name, value, ...]], ...]]], or nil.
  const RedisValue entries = reply_.value()[0][1];
  if (last_was_read_) {
    AP_RETURN_IF_ERROR(CheckGap(replies[1].value().size() > 0));
  }
  entries_ = entries;
  return Measure();
}

Status RedisRecordStream::CheckGap(bool last_is_there) {
  if (last_is_there) {
    return Status();
  }
  const RedisValue entries = reply_.value()[0][1];
  const std::string earliest(entries.size() > 0 ? entries[0][0].text() : "none");
  if (options_.gaps == GapPolicy::kRefuse) {
    return GapError("Redis stream " + key_, RedisId(next_), earliest, -1);
  }
  LOG(WARNING) << "Redis stream " << key_ << ": passes over a gap from " << RedisId(next_) << " to "
               << earliest;
  ++report_.gaps;
  if (entries.size() > 0) {
    AP_ASSIGN_OR_RETURN(const Position position, RedisPosition(entries[0][0].text()));
    report_.gap_positions += position - next_;
  }
  last_was_read_ = false;
  return Status();
}

StatusOr<StreamRead> RedisRecordStream::TakeEntry(StreamRecord& record) {
  const RedisValue entry = entries_[entry_++];
  AP_ASSIGN_OR_RETURN(const Position position, RedisPosition(entry[0].text()));
  const RedisValue payload = entry[1].Find(config_.redis().payload_field());
  next_ = position + 1;
  last_was_read_ = true;
  ++read_since_;
  if (!config_.end_record().empty() && payload.text() == config_.end_record()) {
    ended_ = true;
    return StreamRead::kEnd;
  }
  record = {.payload = payload.text(),
            .reason = payload.is_nil() ? BadRowReason::kDamaged : BadRowReason::kNone,
            .position = position,
            .next = next_};
  return StreamRead::kRecord;
}

// Learns the size of entries, and once in a while how many there are.
Status RedisRecordStream::Measure() {
  uint64_t bytes = 0;
  for (size_t i = 0; i < std::min<size_t>(entries_.size(), 16); ++i) {
    bytes += 64 + entries_[i][1].Find(config_.redis().payload_field()).text().size();
  }
  if (bytes > 0) {
    const uint64_t each = bytes / std::min<size_t>(entries_.size(), 16);
    entries_a_read_ = std::clamp<uint64_t>(config_.prefetch_bytes() / each, 1, kMaxEntries);
  }
  const bool is_at_end = entries_.size() == 0;
  if (clock_.Now() < measure_at_ && !(is_at_end && !is_caught_up_)) {
    return Status();
  }
  measure_at_ = clock_.Now() + kMeasureEvery;
  is_caught_up_ = is_at_end;
  const RedisClient::Command exists = {"EXISTS", key_};
  AP_ASSIGN_OR_RETURN(const RedisReply there, client_->Call(exists));
  if (there.value().integer() == 0) {
    return Status();
  }
  const RedisClient::Command info = {"XINFO", "STREAM", key_};
  AP_ASSIGN_OR_RETURN(const RedisReply answer, client_->Call(info));
  added_now_ = static_cast<uint64_t>(answer.value().Find("entries-added").integer());
  if (is_at_end || !is_measured_) {
    is_measured_ = true;
    behind_then_ = is_at_end ? 0 : static_cast<uint64_t>(answer.value().Find("length").integer());
    added_then_ = added_now_;
    read_since_ = 0;
  }
  return Status();
}

SourceReport RedisRecordStream::report() const {
  SourceReport report = report_;
  away_.TellIn(report);
  report.is_known = is_measured_;
  const uint64_t all = behind_then_ + added_now_ - added_then_;
  report.behind = all - std::min(all, read_since_);
  return report;
}

StatusOr<Position> LastEntry(RedisClient& client, const std::string& key) {
  const RedisClient::Command last = {"XREVRANGE", key, "+", "-", "COUNT", "1"};
  AP_ASSIGN_OR_RETURN(const RedisReply reply, client.Call(last));
  if (reply.value().size() == 0) {
    return Position{0};
  }
  AP_ASSIGN_OR_RETURN(const Position position, RedisPosition(reply.value()[0][0].text()));
  return position + 1;
}

}  // namespace

StatusOr<Position> RedisPosition(std::string_view id) {
  const size_t dash = id.find('-');
  const std::optional<uint64_t> milliseconds = ParseUint(id.substr(0, dash));
  const std::optional<uint64_t> sequence =
      dash == std::string_view::npos ? std::nullopt : ParseUint(id.substr(dash + 1));
  if (!milliseconds.has_value() || !sequence.has_value()) {
    return InvalidArgumentError("Redis entry id \"" + std::string(id) +
                                "\" is not MILLISECONDS-SEQUENCE");
  }
  if (*milliseconds > kMaxMilliseconds || *sequence > kMaxSequence) {
    return InvalidArgumentError(
        "Redis entry id " + std::string(id) + " does not fit into a position, expected at most " +
        std::to_string(kMaxMilliseconds) + "-" + std::to_string(kMaxSequence) +
        "; let Redis choose the ids (XADD KEY *)");
  }
  return *milliseconds << kRedisSequenceBits | *sequence;
}

std::string RedisId(Position position) {
  return std::to_string(position >> kRedisSequenceBits) + "-" +
         std::to_string(position & kMaxSequence);
}

StatusOr<std::unique_ptr<RecordStream>> MakeRedisStream(const StreamConfig& config,
                                                        const RecordStreamOptions& options,
                                                        Clock& clock) {
  AP_ASSIGN_OR_RETURN(std::unique_ptr<RedisClient> client, RedisClient::Create(config.redis()));
  return std::unique_ptr<RecordStream>(
      new RedisRecordStream(config, options, std::move(client), clock));
}

StatusOr<std::vector<Partition>> PlanRedisStream(const StreamConfig& config, Clock& clock) {
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<RedisClient> client,
                      RedisClient::Create(config.redis()));
  AwayWatch away(clock, "Redis at " + config.redis().address(),
                 std::chrono::milliseconds(config.away_ms()));
  std::vector<Partition> partitions;
  for (const std::string& key : config.redis().keys()) {
    Partition& partition = partitions.emplace_back();
    partition.set_path(key);
    partition.set_begin_position(0);
    if (config.start() == StreamConfig::TIME) {
      partition.set_begin_position(config.start_time() * 1000 << kRedisSequenceBits);
    }
    while (config.start() == StreamConfig::LATEST) {
      const StatusOr<Position> end = LastEntry(*client, key);
      if (end.ok()) {
        partition.set_begin_position(*end);
        break;
      }
      if (end.status().code() != StatusCode::kUnavailable) {
        return end.status();
      }
      AP_RETURN_IF_ERROR(away.NoteFailure(end.status().message()));
      Pause(kRetryAfter);
    }
  }
  return partitions;
}

}  // namespace antiphon
