#include "worker/read_ahead.h"

#include <limits>
#include <optional>
#include <utility>

namespace antiphon {
namespace {

// Starts that the reading thread has not yet seen; each makes those before it pointless.
constexpr size_t kMaxCommands = 16;

// The first position of `cuts` that lies past `at`.
Position NextCut(const std::vector<Position>& cuts, Position at) {
  for (const Position cut : cuts) {
    if (cut > at) {
      return cut;
    }
  }
  return std::numeric_limits<Position>::max();
}

}  // namespace

ReadAhead::ReadAhead(std::unique_ptr<SampleSource> source, BatchPreparer preparer, size_t depth,
                     std::shared_ptr<Waker> waker, std::unique_ptr<BadRows> bad_rows)
    : bad_rows_(std::move(bad_rows)),
      source_(std::move(source)),
      preparer_(std::move(preparer)),
      waker_(std::move(waker)),
      commands_(kMaxCommands),
      ready_(depth),
      free_(2 * depth + kMaxCommands),
      thread_("reader", [this] { Read(); }) {}

ReadAhead::~ReadAhead() {
  generation_.fetch_add(1);
  commands_.Close();
  ready_.Close();
  thread_.Join();
}

uint64_t ReadAhead::Forget() {
  const uint64_t generation = generation_.fetch_add(1) + 1;
  // The reading thread may wait for room in ready_ with a batch that nobody wants any more.
  while (std::optional<Item> stale = ready_.PopFor(Duration::zero())) {
    Recycle(std::move(stale->batch));
  }
  return generation;
}

void ReadAhead::Start(PartitionId partition, Position from, std::vector<Position> cuts) {
  const uint64_t generation = Forget();
  commands_.Push(
      {.generation = generation, .partition = partition, .from = from, .cuts = std::move(cuts)});
}

StatusOr<BatchFeed::Outcome> ReadAhead::Next(std::unique_ptr<PreparedBatch>& batch) {
  while (std::optional<Item> item = ready_.PopFor(Duration::zero())) {
    if (item->generation != generation_.load()) {
      Recycle(std::move(item->batch));
      continue;
    }
    AP_RETURN_IF_ERROR(item->status);
    batch = std::move(item->batch);
    return item->outcome;
  }
  return Outcome::kNotReady;
}

void ReadAhead::Recycle(std::unique_ptr<PreparedBatch> batch) {
  if (batch != nullptr) {
    free_.TryPush(batch);  // when enough are free this one is dropped
  }
}

void ReadAhead::Read() {
  while (std::optional<Command> command = commands_.Pop()) {
    if (command->generation == generation_.load()) {
      ReadPartition(*command);
    }
  }
}

void ReadAhead::ReadPartition(const Command& command) {
  const StatusOr<Outcome> ended = ReadBatches(command);
  source_->Close();  // before anybody can hear that the lease may end
  Hand({.generation = command.generation,
        .outcome = ended.ok() ? *ended : Outcome::kEnd,
        .batch = nullptr,
        .status = ended.status()});
}

StatusOr<BatchFeed::Outcome> ReadAhead::ReadBatches(const Command& command) {
  AP_RETURN_IF_ERROR(source_->Open(command.partition, command.from));
  Position at = command.from;
  std::unique_ptr<PreparedBatch> prepared;
  while (command.generation == generation_.load()) {
    if (prepared == nullptr) {
      prepared = FreeBatch();
    }
    AP_ASSIGN_OR_RETURN(const ReadOutcome read,
                        source_->NextBatch(NextCut(command.cuts, at), prepared->batch));
    {
      MutexLock lock(mu_);
      report_ = source_->report();
    }
    if (read == ReadOutcome::kYield && may_yield_.load() != command.generation) {
      if (wants_to_yield_.exchange(command.generation) != command.generation) {
        waker_->Wake();
      }
      source_->GoOn();
      continue;
    }
    if (read == ReadOutcome::kYield || read == ReadOutcome::kEnd) {
      return read == ReadOutcome::kYield ? Outcome::kYield : Outcome::kEnd;
    }
    if (read == ReadOutcome::kNotYet) {
      continue;
    }
    at = prepared->batch.end;
    preparer_.Prepare(*prepared);
    if (!Hand({.generation = command.generation,
               .batch = std::exchange(prepared, nullptr),
               .status = {}})) {
      break;
    }
  }
  return Outcome::kEnd;  // nobody asks any more
}

SourceReport ReadAhead::report() const {
  MutexLock lock(mu_);
  return report_;
}

bool ReadAhead::Hand(Item item) {
  const bool handed = ready_.Push(std::move(item));
  waker_->Wake();
  return handed;
}

std::unique_ptr<PreparedBatch> ReadAhead::FreeBatch() {
  std::optional<std::unique_ptr<PreparedBatch>> free = free_.PopFor(Duration::zero());
  return free.has_value() ? std::move(*free) : std::make_unique<PreparedBatch>();
}

}  // namespace antiphon
