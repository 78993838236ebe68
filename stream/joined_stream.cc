#include "stream/joined_stream.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/base/logging.h"
#include "common/base/text.h"
#include "common/data/job_file.h"
#include "join/join_run.h"
#include "join/rocks_store.h"
#include "join/sample_log.h"
#include "stream/away_watch.h"
#include "stream/join_config.h"
#include "stream/pause.h"
#include "stream/stream_events.h"

namespace antiphon {
namespace {

constexpr std::string_view kAll = "joined";
constexpr std::string_view kPrefix = "joined/";
constexpr uint64_t kReadBytes = 4 << 20;  // of samples that are kept
// Samples wait for a commit no longer than this before they can be trained.
constexpr Duration kCommitEvery = std::chrono::milliseconds(200);
constexpr uint64_t kCommitSamples = 10'000;
constexpr Duration kLookAgainAfter = std::chrono::milliseconds(20);

// What a partition's joiner consists of while it is open; what is made first goes last.
struct Joint {
  std::unique_ptr<RocksStore> store;
  std::unique_ptr<SampleLog> log;
  std::vector<const StreamEvents*> readers;  // the run's
  std::unique_ptr<JoinRun> run;
};

class JoinedRecordStream final : public RecordStream {
 public:
  JoinedRecordStream(DataConfig events, JoinRules rules, SampleRecord format,
                     const RecordStreamOptions& options, FileSystem& fs, Clock& clock)
      : events_(std::move(events)),
        rules_(std::move(rules)),
        format_(std::move(format)),
        options_(options),
        fs_(fs),
        clock_(clock) {}
  ~JoinedRecordStream() override { Close(); }

  Status Open(const std::string& partition, Position from, Beginning beginning) override;
  StatusOr<StreamRead> Next(Duration patience, StreamRecord& record) override;
  void Close() override;
  SourceReport report() const override;

 private:
  // Makes joint_. kUnavailable: somebody else holds the state, or the brokers are away.
  Status Begin();
  // Of the source of the events: those that this partition is joined of.
  StatusOr<std::vector<Partition>> AskPartitions();
  std::string StateFolder() const;
  // Moves next_ to where there are samples, if it may.
  Status FindPosition();
  // Samples from next_ on into samples_, joining more if there are none.
  Status ReadOn();
  void Give(StreamRecord& record);

  const DataConfig events_;
  const JoinRules rules_;
  const SampleRecord format_;
  const RecordStreamOptions options_;
  FileSystem& fs_;
  Clock& clock_;

  std::string partition_;
  Position next_ = 0;
  Beginning beginning_ = Beginning::kFresh;
  std::optional<AwayWatch> away_;
  std::unique_ptr<Joint> joint_;
  bool has_ended_ = false;            // all events are joined
  std::vector<std::string> samples_;  // those before next_ have been given
  size_t given_ = 0;
  uint64_t gaps_ = 0;
  uint64_t gap_positions_ = 0;
};

Status JoinedRecordStream::Open(const std::string& partition, Position from, Beginning beginning) {
  if (partition != partition_) {
    Close();
    partition_ = partition;
    away_.emplace(clock_, partition_ + " in " + StateFolder(),
                  std::chrono::milliseconds(events_.stream().away_ms()));
  }
  next_ = from;
  beginning_ = beginning;
  samples_.clear();
  given_ = 0;
  return joint_ == nullptr ? Status() : FindPosition();
}

std::string JoinedRecordStream::StateFolder() const {
  const std::string name =
      partition_ == kAll ? "all" : partition_.substr(std::min(kPrefix.size(), partition_.size()));
  return ResolvePath(options_.folder, events_.stream().join().worker().state_dir()) + "/" + name;
}

Status JoinedRecordStream::Begin() {
  AP_ASSIGN_OR_RETURN(const std::vector<Partition> partitions, AskPartitions());
  auto joint = std::make_unique<Joint>();
  AP_RETURN_IF_ERROR(fs_.MakeDirectories(StateFolder()));
  AP_ASSIGN_OR_RETURN(joint->store, RocksStore::Open(StateFolder()));
  const JoinConfig& join = events_.stream().join();
  const SampleLogOptions log_options = {.keep_seconds = join.worker().keep_seconds(),
                                        .keep_bytes = join.worker().keep_bytes()};
  AP_ASSIGN_OR_RETURN(joint->log, SampleLog::Create(log_options, *joint->store, clock_));
  AP_ASSIGN_OR_RETURN(std::vector<std::unique_ptr<StreamEvents>> events,
                      MakeEventReaders(events_, partitions, options_, fs_, clock_));
  std::vector<std::unique_ptr<EventReader>> readers;
  for (std::unique_ptr<StreamEvents>& reader : events) {
    joint->readers.push_back(reader.get());
    readers.push_back(std::move(reader));
  }
  const JoinRunOptions run_options = {.rules_digest = JoinDigest(events_, /*outlets=*/1),
                                      .max_memory_bytes = join.max_memory_bytes(),
                                      .max_ahead_seconds = join.max_ahead_seconds(),
                                      .commit_every = kCommitEvery,
                                      .commit_samples = kCommitSamples};
  AP_ASSIGN_OR_RETURN(joint->run, JoinRun::Create(rules_, format_, run_options, std::move(readers),
                                                  *joint->store, *joint->log, clock_));
  has_ended_ = false;
  joint_ = std::move(joint);
  return FindPosition();
}

StatusOr<std::vector<Partition>> JoinedRecordStream::AskPartitions() {
  DataConfig asked = events_;
  asked.mutable_stream()->set_away_ms(1);  // Next asks again for as long as it may
  AP_ASSIGN_OR_RETURN(std::vector<Partition> all, PlanSource(asked, options_.folder, fs_, clock_));
  if (partition_ == kAll) {
    return all;
  }
  for (size_t i = 0; i < all.size(); ++i) {
    if (partition_ == std::string(kPrefix) + std::to_string(i)) {
      return std::vector<Partition>{all[i]};
    }
  }
  return FailedPreconditionError(partition_ + ": the source of the events has " +
                                 std::to_string(all.size()) +
                                 " partitions, fewer than when the job was planned");
}

Status JoinedRecordStream::FindPosition() {
  const SampleLog& log = *joint_->log;
  if (next_ > log.end()) {
    return DataLossError(partition_ + ": " + std::to_string(next_) +
                         " samples were trained, and the joiner's state in " + StateFolder() +
                         " has made " + std::to_string(log.end()) +
                         ": the folder is another one than it was");
  }
  if (next_ >= log.first()) {
    return Status();
  }
  if (beginning_ == Beginning::kResumed) {
    const uint64_t lost = log.first() - next_;
    if (options_.gaps == GapPolicy::kRefuse) {
      return GapError(partition_ + " in " + StateFolder(), std::to_string(next_),
                      std::to_string(log.first()), static_cast<int64_t>(lost));
    }
    LOG(WARNING) << partition_ << ": passes over the gap from sample " << next_ << " to "
                 << log.first();
    ++gaps_;
    gap_positions_ += lost;
  }
  next_ = log.first();
  return Status();
}

StatusOr<StreamRead> JoinedRecordStream::Next(Duration patience, StreamRecord& record) {
  const Time give_up_at = clock_.Now() + patience;
  if (joint_ == nullptr) {
    const Status begun = Begin();
    if (begun.code() == StatusCode::kUnavailable) {
      AP_RETURN_IF_ERROR(away_->NoteFailure(begun.message()));
      Pause(patience);
      return StreamRead::kNothing;
    }
    AP_RETURN_IF_ERROR(begun);
    away_->NoteAnswer();
  }
  while (true) {
    if (given_ == samples_.size()) {
      AP_RETURN_IF_ERROR(ReadOn());
    }
    if (given_ < samples_.size()) {
      Give(record);
      return StreamRead::kRecord;
    }
    if (has_ended_ && next_ == joint_->log->end()) {
      return StreamRead::kEnd;
    }
    if (clock_.Now() >= give_up_at) {
      return StreamRead::kNothing;
    }
  }
}

Status JoinedRecordStream::ReadOn() {
  samples_.clear();
  given_ = 0;
  if (next_ == joint_->log->end() && !has_ended_) {
    AP_ASSIGN_OR_RETURN(const JoinRun::Outcome outcome, joint_->run->Step());
    has_ended_ = outcome == JoinRun::Outcome::kDone;
    if (outcome == JoinRun::Outcome::kNothing) {
      Pause(kLookAgainAfter);
    }
  }
  return next_ == joint_->log->end() ? Status() : joint_->log->Read(next_, kReadBytes, samples_);
}

void JoinedRecordStream::Give(StreamRecord& record) {
  record = {.payload = samples_[given_++],
            .reason = BadRowReason::kNone,
            .position = next_,
            .next = next_ + 1};
  ++next_;
  beginning_ = Beginning::kResumed;
}

// What has been read and not committed is read again by the next holder; a commit spares it that.
void JoinedRecordStream::Close() {
  if (joint_ != nullptr) {
    const Status committed = joint_->run->Commit();
    LOG_IF(WARNING, !committed.ok()) << partition_ << ": " << committed;
  }
  joint_.reset();
  samples_.clear();
  given_ = 0;
}

SourceReport JoinedRecordStream::report() const {
  SourceReport report;
  if (away_.has_value()) {
    away_->TellIn(report);
  }
  report.gaps = gaps_;
  report.gap_positions = gap_positions_;
  if (joint_ == nullptr) {
    return report;
  }
  report.is_known = true;
  for (const StreamEvents* reader : joint_->readers) {
    SourceReport events = reader->report();
    report.behind += events.behind;
    report.behind_in_bytes = report.behind_in_bytes || events.behind_in_bytes;
    if (events.away_ms >= report.away_ms && !events.away.empty()) {
      report.away = std::move(events.away);
      report.away_ms = events.away_ms;
    }
    report.gaps += events.gaps;
    report.gap_positions += events.gap_positions;
  }
  // Samples that are joined and not yet read; bytes of events cannot count them.
  const uint64_t waiting = joint_->run->next_sample() - next_;
  report.behind = report.behind_in_bytes ? std::max<uint64_t>(report.behind, waiting > 0 ? 1 : 0)
                                         : report.behind + waiting;
  return report;
}

struct JoinSetup {
  DataConfig events;
  JoinRules rules;
  SampleRecord format;
};

StatusOr<JoinSetup> SetUp(const DataConfig& data) {
  AP_ASSIGN_OR_RETURN(JoinRules rules, MakeJoinRules(data.stream().join()));
  AP_ASSIGN_OR_RETURN(DataConfig events, EventsOfJob(data, rules));
  AP_ASSIGN_OR_RETURN(SampleRecord format, SampleRecord::Create(events, rules));
  AP_RETURN_IF_ERROR(EventDecoder::Create(events, "", "").status());
  return JoinSetup{std::move(events), std::move(rules), std::move(format)};
}

}  // namespace

StatusOr<std::unique_ptr<RecordStream>> MakeJoinedStream(const DataConfig& data,
                                                         const RecordStreamOptions& options,
                                                         FileSystem& fs, Clock& clock) {
  AP_ASSIGN_OR_RETURN(JoinSetup setup, SetUp(data));
  return std::unique_ptr<RecordStream>(
      new JoinedRecordStream(std::move(setup.events), std::move(setup.rules),
                             std::move(setup.format), options, fs, clock));
}

StatusOr<std::vector<Partition>> PlanJoinedStream(const DataConfig& data, const std::string& folder,
                                                  FileSystem& fs, Clock& clock) {
  AP_RETURN_IF_ERROR(SetUp(data).status());
  size_t count = 1;
  const bool together = data.stream().join().worker().together();
  if (together) {
    AP_ASSIGN_OR_RETURN(const std::vector<Partition> events, PlanSource(data, folder, fs, clock));
    count = events.size();
  }
  std::vector<Partition> partitions(count);
  for (size_t i = 0; i < count; ++i) {
    partitions[i].set_path(together ? std::string(kPrefix) + std::to_string(i) : std::string(kAll));
    partitions[i].set_begin_position(0);
    partitions[i].set_kind(Partition::TRAIN);
    partitions[i].set_open_ended(true);
  }
  return partitions;
}

}  // namespace antiphon
