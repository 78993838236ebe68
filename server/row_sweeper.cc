#include "server/row_sweeper.h"

#include <algorithm>
#include <chrono>
#include <unordered_set>

#include "common/ckpt/row_score.h"

namespace antiphon {

namespace {

constexpr double kRoundSeconds = 60;
// Of a slice, at most: a few tens of microseconds.
constexpr uint64_t kPlacesOfASlice = 2048;
// Rows that go together, after one look at what open pulls have found.
constexpr size_t kMaxCandidates = 4096;
constexpr Duration kCandidatesWait = std::chrono::milliseconds(20);
constexpr Duration kMarkEvery = std::chrono::seconds(30);

// Shares of the memory limit. Eviction begins at the first and ends at the second; from there on up
// to the limit admission tightens.
constexpr double kShort = 0.90;
constexpr double kEnough = 0.85;
constexpr int kSamples = 1024;

}  // namespace

void RowSweeper::Restart() {
  candidates_.clear();
  is_short_ = false;
  table_ = 0;
  place_ = 0;
}

bool RowSweeper::HasWork() const {
  bool has_work = memory_limit_ > 0;
  for (TableId id = 0; id < state_.store->table_count(); ++id) {
    has_work = has_work || state_.store->table(id).has_eviction();
  }
  return has_work;
}

bool RowSweeper::Advance() {
  if (!HasWork()) {
    return false;
  }
  const Time now = clock_.Now();
  now_seconds_ = RowSecondsFromUnix(clock_.WallSeconds());
  ForgetOldPulls(now);
  if (memory_limit_ > 0) {
    WatchRoom();
  }
  uint64_t all = 0;
  for (TableId id = 0; id < state_.store->table_count(); ++id) {
    all += state_.store->table(id).place_count();
  }
  // A clock that was never looked at, or that slept, must not ask for everything.
  const double elapsed = std::min(SecondsBetween(last_advance_, now), 1.0);
  last_advance_ = now;
  places_due_ += elapsed * static_cast<double>(all) / kRoundSeconds;
  Sweep(is_short_ ? kPlacesOfASlice
                  : std::min(kPlacesOfASlice, static_cast<uint64_t>(places_due_)));
  if (candidates_.size() >= kMaxCandidates || (!candidates_.empty() && now >= candidates_due_)) {
    candidates_due_ = now + kCandidatesWait;
    Evict();
  }
  return is_short_ || places_due_ >= static_cast<double>(kPlacesOfASlice);
}

void RowSweeper::WatchRoom() {
  const double share =
      static_cast<double>(state_.store->used_bytes()) / static_cast<double>(memory_limit_);
  const bool was_short = is_short_;
  is_short_ = is_short_ ? share > kEnough : share > kShort;
  if (is_short_ && !was_short) {
    ChooseThreshold(share);
  }
  // Memory that was taken once is only used again by the table that has it.
  const double taken =
      static_cast<double>(state_.store->bytes()) / static_cast<double>(memory_limit_);
  const double room = std::clamp((1 - share) / (1 - kEnough), 0.0, 1.0);
  for (TableId id = 0; id < state_.store->table_count(); ++id) {
    RowTable& table = state_.store->table(id);
    table.set_room(taken >= 1 && !table.has_free_place() ? 0 : room);
  }
}

// The score below which as many rows lie as must go, by a sample of all.
void RowSweeper::ChooseThreshold(double share) {
  std::vector<double> scores;
  LaneStore& store = *state_.store;
  uint64_t all = 0;
  for (TableId id = 0; id < store.table_count(); ++id) {
    all += store.table(id).place_count();
  }
  for (int i = 0; i < kSamples; ++i) {
    uint64_t place = rng_.Below(std::max<uint64_t>(all, 1));
    for (TableId id = 0; id < store.table_count(); ++id) {
      RowTable& table = store.table(id);
      if (place < table.place_count()) {
        table.ForEachRow(place, place + 1, [&](std::byte* row) {
          scores.push_back(RowScore(HeaderOf(row).history(), table.eviction(), now_seconds_));
        });
        break;
      }
      place -= table.place_count();
    }
  }
  threshold_ = -1;
  if (!scores.empty()) {
    const double too_many = std::clamp(1 - kEnough / share, 0.0, 1.0);
    const auto at = static_cast<size_t>(too_many * static_cast<double>(scores.size() - 1));
    std::nth_element(scores.begin(), scores.begin() + static_cast<ptrdiff_t>(at), scores.end());
    threshold_ = scores[at];
  }
}

void RowSweeper::Sweep(uint64_t places) {
  LaneStore& store = *state_.store;
  places_due_ = std::max(0.0, places_due_ - static_cast<double>(places));
  // Every table at most once, however many are empty.
  for (size_t turns = 0; places > 0 && turns <= store.table_count();) {
    table_ = table_ < store.table_count() ? table_ : 0;
    RowTable& table = store.table(table_);
    const uint64_t end = std::min(table.place_count(), place_ + places);
    if (place_ < end && candidates_.size() < kMaxCandidates) {
      SweepTable(table, place_, end);
      places -= end - place_;
      place_ = end;
    }
    if (candidates_.size() >= kMaxCandidates) {
      return;
    }
    if (place_ >= table.place_count()) {
      place_ = 0;
      ++turns;
      if (++table_ == store.table_count() && is_short_) {
        // A round was not enough, or new rows have come: what is low now?
        ChooseThreshold(static_cast<double>(store.used_bytes()) /
                        static_cast<double>(memory_limit_));
      }
    }
  }
}

void RowSweeper::SweepTable(RowTable& table, uint64_t begin, uint64_t end) {
  const Eviction& policy = table.eviction();
  table.ForEachRow(begin, end, [&](std::byte* row) {
    const RowHeader& header = HeaderOf(row);
    // Made by a pull and never pushed: its time begins now.
    if (header.last_seen() == 0 && table.has_eviction()) {
      table.MarkSeen(row, now_seconds_);
    }
    const uint32_t age = now_seconds_ > header.last_seen() ? now_seconds_ - header.last_seen() : 0;
    if (table.has_eviction() && policy.ttl_seconds() > 0 && age > policy.ttl_seconds()) {
      candidates_.push_back({table.table(), row, EraseReason::kAge});
      return;
    }
    const bool scored = is_short_ || (table.has_eviction() && policy.min_score() > 0);
    if (!scored) {
      return;
    }
    const double score = RowScore(header.history(), policy, now_seconds_);
    if (table.has_eviction() && score < policy.min_score()) {
      candidates_.push_back({table.table(), row, EraseReason::kScore});
    } else if (is_short_ && score <= threshold_) {
      candidates_.push_back({table.table(), row, EraseReason::kMemory});
    }
  });
}

void RowSweeper::Evict() {
  std::unordered_set<const std::byte*> going;
  for (const Candidate& candidate : candidates_) {
    going.insert(candidate.row);
  }
  state_.handles.ForEachRow([&going](const std::byte* row) { going.erase(row); });
  for (const Candidate& candidate : candidates_) {
    // Twice among the candidates, where the hand has gone round meanwhile: once is enough.
    if (going.erase(candidate.row) > 0) {
      state_.store->table(candidate.table).Erase(HeaderOf(candidate.row).key(), candidate.reason);
    }
  }
  candidates_.clear();
}

void RowSweeper::ForgetOldPulls(Time now) {
  if (now < marks_due_) {
    return;
  }
  marks_due_ = now + kMarkEvery;
  state_.handles.ForgetOpenedBefore(pull_marks_[1]);
  pull_marks_[1] = pull_marks_[0];
  pull_marks_[0] = state_.handles.uses();
}

}  // namespace antiphon
