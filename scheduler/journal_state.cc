// Members of LeaseBook, ClockGroup, SampleAgeLog and Conductor that write all that leases and
// reports have come to (LeasesState, proto/journal_state.proto), and read it again: in one place,
// so that who adds to one of them finds the whole. What leases and reports measured is another
// record (scheduler/metrics_state.h).
#include <algorithm>
#include <chrono>
#include <set>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "proto/journal.pb.h"
#include "proto/journal_state.pb.h"
#include "scheduler/clock_group.h"
#include "scheduler/conductor.h"
#include "scheduler/lease_book.h"
#include "scheduler/sample_age_log.h"

namespace antiphon {
namespace {

int64_t MillisecondsSince(Time then, Time now) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(now - then).count();
}

Time Before(Time then, int64_t milliseconds) {
  return then - std::chrono::milliseconds(milliseconds);
}

}  // namespace

LeaseBookState LeaseBook::Save() const {
  LeaseBookState state;
  for (const Entry& entry : entries_) {
    LeaseEntryState& out = *state.add_entries();
    out.set_start(entry.start);
    out.set_position(entry.position);
    out.set_records(entry.records);
    out.set_counted(entry.counted);
    out.set_measured(entry.measured);
    out.set_lease_epoch(entry.lease_epoch);
    if (entry.holder != 0) {
      out.set_holder(entry.holder);
    }
    out.set_done(entry.done);
  }
  state.set_stage(static_cast<uint32_t>(stage_));
  for (const auto& [turn, partition] : open_) {
    OpenTurnState& out = *state.add_open();
    out.set_turn(turn);
    out.set_partition(partition);
  }
  state.set_last_turn(last_turn_);
  state.set_samples_trained(samples_trained_);
  return state;
}

void LeaseBook::LoadEntry(PartitionId partition, const LeaseEntryState& state) {
  Entry& entry = entries_[partition];
  entry.start = state.start();
  entry.position = state.position();
  entry.records = state.records();
  entry.counted = state.counted();
  entry.measured = state.measured();
  entry.lease_epoch = state.lease_epoch();
  entry.holder = state.holder();
  entry.done = state.done();
  if (entry.holder != 0) {
    leases_[entry.holder] = {
        .partition = partition, .lease_epoch = entry.lease_epoch, .kind = entry.kind};
  }
  partitions_done_ += entry.done ? 1 : 0;
  if (entry.kind == Partition::TRAIN && !entry.done) {
    ++training_left_;
    replay_samples_ += entry.counted - std::min(entry.records, entry.counted);
  }
}

Status LeaseBook::Load(const LeaseBookState& state) {
  const bool fits = static_cast<size_t>(state.entries_size()) == entries_.size() &&
                    state.stage() <= stages_.size() &&
                    std::ranges::all_of(state.open(), [this](const OpenTurnState& turn) {
                      return turn.partition() < entries_.size();
                    });
  if (!fits) {
    return DataLossError("the leases of " + std::to_string(state.entries_size()) +
                         " partitions are of another plan, this one has " +
                         std::to_string(entries_.size()));
  }
  leases_.clear();
  partitions_done_ = training_left_ = 0;
  replay_samples_ = 0;
  for (PartitionId partition = 0; partition < entries_.size(); ++partition) {
    LoadEntry(partition, state.entries(static_cast<int>(partition)));
  }
  stage_ = state.stage();
  open_.clear();
  for (const OpenTurnState& turn : state.open()) {
    open_.emplace(turn.turn(), turn.partition());
  }
  left_ = 0;
  if (!finished()) {
    left_ = static_cast<uint32_t>(std::ranges::count_if(
        stages_[stage_], [this](PartitionId id) { return !entries_[id].done; }));
  }
  last_turn_ = state.last_turn();
  samples_trained_ = state.samples_trained();
  return Status();
}

void ClockGroup::Save(Time now, LeasesState* out) const {
  out->set_furthest_tick(furthest_);
  for (const auto& [worker, training] : members_) {
    ClockMemberState& member = *out->add_clock();
    member.set_worker(worker);
    member.set_tick(training.tick);
    if (training.idle_since.has_value()) {
      member.set_idle_ms(MillisecondsSince(*training.idle_since, now));
    }
  }
}

void ClockGroup::Load(const LeasesState& state, Time then) {
  ++version_;
  furthest_ = state.furthest_tick();
  members_.clear();
  for (const ClockMemberState& member : state.clock()) {
    Training& training = members_[member.worker()];
    training.tick = member.tick();
    if (member.has_idle_ms()) {
      training.idle_since = Before(then, member.idle_ms());
    }
  }
}

void SampleAgeLog::Save(Time now, LeasesState* out) const {
  for (const std::vector<Part>* parts : {&before_cut_, &parts_}) {
    for (const Part& part : *parts) {
      AgesOfPeriod& period = *out->add_sample_ages();
      period.set_first_ms(MillisecondsSince(part.first, now));
      period.set_last_ms(MillisecondsSince(part.last, now));
      part.ages.ToProto(*period.mutable_ages());
    }
  }
}

Status SampleAgeLog::Load(const LeasesState& state, Time then) {
  Clear();
  for (const AgesOfPeriod& period : state.sample_ages()) {
    AP_ASSIGN_OR_RETURN(const AgeHistogram ages, AgeHistogram::FromProto(period.ages()));
    parts_.push_back({.first = Before(then, period.first_ms()),
                      .last = Before(then, period.last_ms()),
                      .ages = ages});
  }
  return Status();
}

std::vector<JournalRecord> Conductor::Sums(Time now) const {
  std::vector<JournalRecord> sums(2);
  *sums[0].mutable_leases() = SaveLeases(now);
  *sums[1].mutable_measured() = metrics_->Save();
  return sums;
}

LeasesState Conductor::SaveLeases(Time now) const {
  LeasesState state;
  *state.mutable_book() = book_->Save();
  for (const auto& [worker, record] : workers_) {
    WorkerState& out = *state.add_workers();
    out.set_worker(worker);
    out.set_samples(record.samples);
    out.set_reports_seen_through(record.reports.seen_through());
    const std::set<uint64_t>& beyond = record.reports.seen_beyond();
    out.mutable_reports_seen()->Assign(beyond.begin(), beyond.end());
  }
  clock_.Save(now, &state);
  sample_ages_.Save(now, &state);
  for (const auto& [partition, heard] : streams_) {
    HeardStreamState& out = *state.add_streams();
    out.set_partition(partition);
    *out.mutable_report() = heard.report;
    out.set_heard_ms(MillisecondsSince(heard.at, now));
  }
  for (const size_t stage : closed_) {
    state.add_closed_stages(static_cast<uint32_t>(stage));
  }
  if (training_began_.has_value()) {
    state.set_training_began_ms(MillisecondsSince(*training_began_, now));
  }
  if (training_ended_.has_value()) {
    state.set_training_ended_ms(MillisecondsSince(*training_ended_, now));
  }
  return state;
}

Status Conductor::LoadLeases(const LeasesState& state, Time then) {
  if (book_ == nullptr) {
    return DataLossError("there are leases from before the job began");
  }
  AP_RETURN_IF_ERROR(book_->Load(state.book()));
  workers_.clear();
  for (const WorkerState& worker : state.workers()) {
    WorkerRecord& record = workers_[worker.worker()];
    record.samples = worker.samples();
    record.reports.Load(worker.reports_seen_through(),
                        {worker.reports_seen().begin(), worker.reports_seen().end()});
  }
  clock_.Load(state, then);
  AP_RETURN_IF_ERROR(sample_ages_.Load(state, then));
  streams_.clear();
  for (const HeardStreamState& heard : state.streams()) {
    streams_[heard.partition()] = {.report = heard.report(), .at = Before(then, heard.heard_ms())};
  }
  closed_ = {state.closed_stages().begin(), state.closed_stages().end()};
  if (state.has_training_began_ms()) {
    training_began_ = Before(then, state.training_began_ms());
  }
  if (state.has_training_ended_ms()) {
    training_ended_ = Before(then, state.training_ended_ms());
  }
  return Status();
}

}  // namespace antiphon
