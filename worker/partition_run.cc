#include "worker/partition_run.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <utility>

#include "common/base/hash.h"

namespace antiphon {
namespace {

constexpr CallOptions kOpenOptions{.deadline = std::chrono::seconds(30),
                                   .retry_after = std::chrono::seconds(1)};

}  // namespace

class PartitionRun::Opening final : public ReplyHandler {
 public:
  Opening(RpcNode& rpc, PeerId lane, const OpenPartitionRequest& request) : rpc_(rpc) {
    call_ = rpc.Call(lane, METHOD_OPEN_PARTITION, request, {}, kOpenOptions, *this);
  }
  ~Opening() override {
    if (!answered_) {
      rpc_.Cancel(call_);
    }
  }

  bool answered() const { return answered_; }
  std::optional<RpcNode::Waiting> wait() const { return rpc_.WaitOf(call_); }
  const Status& status() const { return status_; }
  const OpenPartitionReply& reply() const { return reply_; }

  void OnReply(CallId, const Status& status, const Message& reply) override {
    answered_ = true;
    status_ = status.ok() ? ParseMeta(reply, reply_) : status;
  }

 private:
  RpcNode& rpc_;
  CallId call_ = 0;
  bool answered_ = false;
  Status status_;
  OpenPartitionReply reply_;
};

PartitionRun::PartitionRun(RunContext& context, const HeldLease& lease, Tick tick,
                           uint64_t& next_step, StepObserver& observer)
    : context_(context),
      lease_(lease),
      tick_(tick),
      next_step_(next_step),
      observer_(observer),
      measured_through_(lease.measured_through) {
  table_rows_.resize(static_cast<size_t>(context.schema.tables_size()));
  table_row_views_.resize(table_rows_.size());
  if (training()) {
    Open();
  } else {
    opened_ = true;
    context_.feed.Start(lease_.partition, 0, {});
  }
}

PartitionRun::~PartitionRun() {
  while (!steps_.empty()) {
    const std::unique_ptr<Step> step = steps_.pop_front();
    for (std::unique_ptr<LaneStep>& lane : step->lanes) {
      lane->Abandon();
    }
    context_.feed.Recycle(std::move(step->batch));
  }
}

bool PartitionRun::Advance() {
  if (done_) {
    return false;
  }
  if (!opened_) {
    return AdvanceOpening();
  }
  bool progress = RetireSteps();
  progress = (!done_ && StartPulls()) || progress;
  progress = (!done_ && ComputeNext()) || progress;
  if (!done_ && feed_ended_ && steps_.empty()) {
    done_ = true;
  }
  return progress && !done_;
}

void PartitionRun::Stop() {
  stopped_ = stopped_ || !feed_ended_;
  feed_ended_ = true;
}

void PartitionRun::Open() {
  OpenPartitionRequest request;
  request.set_partition(lease_.partition);
  request.set_lease_epoch(lease_.epoch);
  for (const PeerId lane : context_.lanes) {
    openings_.push_back(std::make_unique<Opening>(context_.rpc, lane, request));
  }
}

bool PartitionRun::AdvanceOpening() {
  std::vector<Position> positions;
  std::map<Position, uint64_t> records_before;
  for (size_t lane = 0; lane < openings_.size(); ++lane) {
    if (!openings_[lane]->answered()) {
      return false;
    }
    if (!openings_[lane]->status().ok()) {
      FailAtLane(
          openings_[lane]->status().WithContext("open partition at lane " + std::to_string(lane)));
      return false;
    }
    const OpenPartitionReply& reply = openings_[lane]->reply();
    for (int i = 0; i < reply.applied_through_size(); ++i) {
      const Position position = reply.applied_through(i);
      positions.push_back(position);
      records_before[position] = i < reply.records_size() ? reply.records(i) : position;
    }
  }
  openings_.clear();
  opened_ = true;
  std::sort(positions.begin(), positions.end());
  positions.erase(std::unique(positions.begin(), positions.end()), positions.end());
  position_ = positions.empty() ? 0 : positions.front();
  records_ = positions.empty() ? 0 : records_before[position_];
  if (lease_.measured_through > position_) {
    // No batch has samples on both sides of it.
    positions.push_back(lease_.measured_through);
    std::sort(positions.begin(), positions.end());
  }
  context_.feed.Start(lease_.partition, position_, std::move(positions));
  return true;
}

bool PartitionRun::RetireSteps() {
  bool progress = false;
  // A push that came too early goes again once the lane has all before it.
  for (size_t lane = 0; lane < context_.lanes.size(); ++lane) {
    for (size_t i = 0; i < steps_.size(); ++i) {
      LaneStep& at_lane = *steps_[i]->lanes[lane];
      if (at_lane.state() == LaneStep::State::kFailed) {
        FailAtLane(at_lane.failure());
        return false;
      }
      if (at_lane.state() == LaneStep::State::kHeld) {
        at_lane.PushAgain();
        progress = true;
      }
      if (at_lane.state() != LaneStep::State::kPushed) {
        break;
      }
    }
  }
  while (!steps_.empty() && steps_.front()->computed &&
         std::all_of(steps_.front()->lanes.begin(), steps_.front()->lanes.end(),
                     [this](const std::unique_ptr<LaneStep>& lane) {
                       return !training() || lane->state() == LaneStep::State::kPushed;
                     })) {
    Retire(steps_.pop_front());
    progress = true;
  }
  return progress;
}

void PartitionRun::Retire(std::unique_ptr<Step> step) {
  const Batch& batch = step->batch->batch;
  position_ = batch.end;
  records_ += batch.records;
  for (const int64_t event_ms : batch.event_time_ms) {
    newest_event_ms_ = std::max(newest_event_ms_, event_ms);
  }
  ReleaseStep(std::move(step));
}

bool PartitionRun::StartPulls() {
  bool progress = false;
  while (!feed_ended_ && uncomputed_ <= context_.pull_ahead_steps &&
         steps_.size() - uncomputed_ < kMaxUnretiredSteps) {
    std::unique_ptr<PreparedBatch> batch;
    const StatusOr<BatchFeed::Outcome> outcome = context_.feed.Next(batch);
    if (!outcome.ok()) {
      Fail(outcome.status());
      return false;
    }
    if (*outcome == BatchFeed::Outcome::kNotReady) {
      break;
    }
    progress = true;
    if (*outcome != BatchFeed::Outcome::kBatch) {
      feed_ended_ = true;
      yielded_ = *outcome == BatchFeed::Outcome::kYield;
      break;
    }
    context_.step_clock.Begin(StepClock::Activity::kCopy);
    std::unique_ptr<Step> step = NewStep();
    step->batch = std::move(batch);
    PullStep(*step);
    steps_.push_back(std::move(step));
    ++uncomputed_;
  }
  return progress;
}

void PartitionRun::PullStep(Step& step) {
  const PreparedBatch& prepared = *step.batch;
  for (LaneId lane = 0; lane < step.lanes.size(); ++lane) {
    pull_.Clear();
    pull_.set_step(step.id);
    pull_.set_tick(tick_);
    pull_.set_purpose(training() ? PURPOSE_TRAIN : PURPOSE_EVAL);
    pull_.set_dense_version(context_.dense.version(lane));
    size_t keys = 0;
    for (TableId table = 0; table < prepared.tables.size(); ++table) {
      const DistinctKeys& distinct = prepared.tables[table];
      const uint32_t count = distinct.lane_begin[lane + 1] - distinct.lane_begin[lane];
      if (count > 0) {
        TableSlice* slice = pull_.add_tables();
        slice->set_table(table);
        slice->set_count(count);
        keys += count;
      }
    }
    Buffer frame = context_.rpc.pool().Acquire(keys * sizeof(Key));
    std::byte* out = frame.mutable_data();
    for (const TableSlice& slice : pull_.tables()) {
      const DistinctKeys& distinct = prepared.tables[slice.table()];
      std::memcpy(out, distinct.keys.data() + distinct.lane_begin[lane],
                  slice.count() * sizeof(Key));
      out += slice.count() * sizeof(Key);
    }
    step.lanes[lane]->Pull(pull_, std::move(frame));
  }
}

bool PartitionRun::ComputeNext() {
  if (uncomputed_ == 0) {
    return false;
  }
  Step& step = *steps_[steps_.size() - uncomputed_];
  for (const std::unique_ptr<LaneStep>& lane : step.lanes) {
    if (lane->state() == LaneStep::State::kFailed) {
      FailAtLane(lane->failure());
      return false;
    }
    if (lane->state() != LaneStep::State::kPulled) {
      return false;
    }
  }
  context_.step_clock.Begin(StepClock::Activity::kCopy);
  if (!ApplyReplies(step)) {
    return false;
  }
  StepInput input;
  FillInput(step, input);
  const Batch& batch = step.batch->batch;
  context_.step_clock.Begin(StepClock::Activity::kCompute);
  if (training()) {
    const uint64_t seed = Mix64(context_.seed, Mix64(lease_.partition, batch.begin));
    context_.computer.Train(input, seed, gradients_, output_);
    context_.step_clock.Begin(StepClock::Activity::kCopy);
    PushStep(step);
  } else {
    context_.computer.Score(input, output_);
  }
  context_.step_clock.Begin(StepClock::Activity::kOther);
  context_.step_clock.CountStep();
  if (!training() || batch.begin >= measured_through_) {
    observer_.OnStep(batch, output_);
    measured_through_ = batch.end;
  }
  step.computed = true;
  --uncomputed_;
  return true;
}

bool PartitionRun::ApplyReplies(Step& step) {
  const PreparedBatch& prepared = *step.batch;
  for (TableId table = 0; table < prepared.tables.size(); ++table) {
    table_rows_[table].resize(prepared.tables[table].keys.size() *
                              context_.schema.tables(static_cast<int>(table)).dim());
    table_row_views_[table] = table_rows_[table];
  }
  for (LaneId lane = 0; lane < step.lanes.size(); ++lane) {
    const LaneStep& at_lane = *step.lanes[lane];
    const Buffer& rows = at_lane.pull_message().bulk()[0];
    size_t offset = 0;
    for (TableId table = 0; table < prepared.tables.size(); ++table) {
      const DistinctKeys& distinct = prepared.tables[table];
      const size_t dim = context_.schema.tables(static_cast<int>(table)).dim();
      const size_t bytes =
          (distinct.lane_begin[lane + 1] - distinct.lane_begin[lane]) * dim * sizeof(float);
      if (bytes == 0) {
        continue;
      }
      if (offset + bytes > rows.size()) {
        Fail(DataLossError("lane " + std::to_string(lane) +
                           " sent fewer rows than it was asked for"));
        return false;
      }
      std::memcpy(table_rows_[table].data() + distinct.lane_begin[lane] * dim, rows.data() + offset,
                  bytes);
      offset += bytes;
    }
    const Status applied =
        context_.dense.Apply(lane, at_lane.pull_reply(), at_lane.pull_message().bulk()[1]);
    if (!applied.ok()) {
      Fail(applied);
      return false;
    }
  }
  return true;
}

void PartitionRun::FillInput(Step& step, StepInput& input) {
  input.batch = &step.batch->batch;
  input.row_of_value = step.batch->row_of_value;
  input.table_rows = table_row_views_;
  input.blocks = context_.dense.blocks();
}

void PartitionRun::PushStep(Step& step) {
  if (context_.gradient_clip_norm > 0) {
    context_.dense.ClipByNorm(context_.gradient_clip_norm, gradients_);
  }
  ++tick_;
  const PreparedBatch& prepared = *step.batch;
  BufferPool& pool = context_.rpc.pool();
  for (LaneId lane = 0; lane < step.lanes.size(); ++lane) {
    push_.Clear();
    push_.set_step(step.id);
    push_.set_tick(tick_);
    push_.set_partition(lease_.partition);
    push_.set_lease_epoch(lease_.epoch);
    push_.set_begin(prepared.batch.begin);
    push_.set_end(prepared.batch.end);
    push_.set_records(prepared.batch.records);
    size_t keys = 0;
    size_t floats = 0;
    for (TableId table = 0; table < prepared.tables.size(); ++table) {
      const DistinctKeys& distinct = prepared.tables[table];
      const uint32_t count = distinct.lane_begin[lane + 1] - distinct.lane_begin[lane];
      if (count > 0) {
        TableSlice* slice = push_.add_tables();
        slice->set_table(table);
        slice->set_count(count);
        keys += count;
        floats += size_t{count} * context_.schema.tables(static_cast<int>(table)).dim();
      }
    }
    Buffer rows = pool.Acquire(floats * sizeof(float));
    Buffer counts = pool.Acquire(keys * sizeof(uint32_t));
    std::byte* row_out = rows.mutable_data();
    std::byte* count_out = counts.mutable_data();
    for (const TableSlice& slice : push_.tables()) {
      const DistinctKeys& distinct = prepared.tables[slice.table()];
      const size_t dim = context_.schema.tables(static_cast<int>(slice.table())).dim();
      const size_t bytes = slice.count() * dim * sizeof(float);
      std::memcpy(row_out,
                  gradients_.tables[slice.table()].data() + distinct.lane_begin[lane] * dim, bytes);
      row_out += bytes;
      std::memcpy(count_out, distinct.counts.data() + distinct.lane_begin[lane],
                  slice.count() * sizeof(uint32_t));
      count_out += slice.count() * sizeof(uint32_t);
    }
    Buffer chunks = context_.dense.Gather(lane, gradients_, pool, chunk_bits_);
    push_.set_chunk_bits(chunk_bits_);
    step.lanes[lane]->Push(push_, std::move(rows), std::move(counts), std::move(chunks));
  }
}

std::unique_ptr<PartitionRun::Step> PartitionRun::NewStep() {
  std::unique_ptr<Step> step;
  if (!free_steps_.empty()) {
    step = std::move(free_steps_.back());
    free_steps_.pop_back();
  } else {
    step = std::make_unique<Step>();
    for (size_t lane = 0; lane < context_.lanes.size(); ++lane) {
      step->lanes.push_back(std::make_unique<LaneStep>());
      step->lanes.back()->Bind(context_.rpc, context_.lanes[lane], "lane " + std::to_string(lane));
    }
  }
  step->id = next_step_++;
  step->computed = false;
  return step;
}

void PartitionRun::ReleaseStep(std::unique_ptr<Step> step) {
  for (std::unique_ptr<LaneStep>& lane : step->lanes) {
    lane->Finish();
  }
  context_.feed.Recycle(std::move(step->batch));
  free_steps_.push_back(std::move(step));
}

std::optional<LaneWait> PartitionRun::LongestWait() {
  std::optional<LaneWait> longest;
  const auto consider = [&longest](size_t lane, std::optional<RpcNode::Waiting> wait) {
    if (wait.has_value() && (!longest.has_value() || wait->since < longest->since)) {
      longest = {.lane = static_cast<LaneId>(lane),
                 .since = wait->since,
                 .failure = std::move(wait->failure)};
    }
  };
  for (size_t lane = 0; lane < openings_.size(); ++lane) {
    consider(lane, openings_[lane]->wait());
  }
  for (size_t i = 0; i < steps_.size(); ++i) {
    for (size_t lane = 0; lane < steps_[i]->lanes.size(); ++lane) {
      consider(lane, steps_[i]->lanes[lane]->wait());
    }
  }
  return longest;
}

// A server that took the place of a lost one, at the same address even, is not configured at first.
void PartitionRun::FailAtLane(const Status& status) {
  superseded_ = status.code() == StatusCode::kStaleEpoch ||
                status.code() == StatusCode::kUnavailable ||
                status.code() == StatusCode::kDeadlineExceeded ||
                status.code() == StatusCode::kFailedPrecondition;
  Fail(status);
}

void PartitionRun::Fail(const Status& status) {
  status_ = status;
  done_ = true;
}

}  // namespace antiphon
