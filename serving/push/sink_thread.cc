#include "serving/push/sink_thread.h"

#include <algorithm>
#include <utility>

#include "common/base/logging.h"

namespace antiphon {

SinkThread::SinkThread(std::unique_ptr<PushTarget> target, Clock& clock, SinkBoard& board,
                       SinkPace pace)
    : target_(std::move(target)),
      clock_(clock),
      board_(board),
      pace_(pace),
      thread_("sink", [this] { Run(); }) {}

SinkThread::~SinkThread() {
  {
    const MutexLock lock(mu_);
    stops_ = true;
  }
  changed_.SignalAll();
  thread_.Join();
}

Status SinkThread::CatchUp(const VersionChain& chain) {
  const MutexLock lock(mu_);
  chain_ = std::make_shared<const VersionChain>(chain);
  is_new_ = true;
  round_.reset();
  changed_.SignalAll();
  if (pace_ == SinkPace::kBeside) {
    return Status();
  }
  while (!round_.has_value()) {
    changed_.Wait(mu_);
  }
  return *round_;
}

void SinkThread::NoteRound(const Status& status) {
  const MutexLock lock(mu_);
  if (!is_new_) {  // of the newest chain
    round_ = status;
    changed_.SignalAll();
  }
}

std::shared_ptr<const VersionChain> SinkThread::WaitForChain(std::optional<Duration> pause) {
  const MutexLock lock(mu_);
  while (!stops_ && !is_new_) {
    if (!pause.has_value()) {
      changed_.Wait(mu_);
    } else if (!changed_.WaitFor(mu_, *pause)) {
      break;
    }
  }
  is_new_ = false;
  return stops_ ? nullptr : chain_;
}

void SinkThread::Run() {
  state_.set_name(target_->name());
  std::optional<Duration> pause;  // nothing: there is no chain yet
  Duration after_failure = kMinPause;
  while (const std::shared_ptr<const VersionChain> chain = WaitForChain(pause)) {
    const Status pushed = antiphon::CatchUp(
        *target_, *chain,
        [this, &chain](const std::optional<VersionPosition>& position) { Note(*chain, position); });
    if (pushed.ok()) {
      NoteSuccess();
      after_failure = kMinPause;
      pause = kLookAgain;
    } else {
      NoteFailure(pushed);
      pause = after_failure;
      after_failure = std::min<Duration>(2 * after_failure, kMaxPause);
    }
    NoteRound(pushed);
  }
}

void SinkThread::Note(const VersionChain& chain, const std::optional<VersionPosition>& position) {
  SinkState state = state_;
  state.set_newest(chain.back().signature.version());
  state.set_behind(static_cast<uint32_t>(chain.size() - FirstMissing(position, chain)));
  if (position.has_value()) {
    state.set_model_id(position->model_id);
    state.set_version(position->version);
    state.set_digest(position->digest);
  } else {
    state.clear_model_id();
    state.clear_version();
    state.clear_digest();
  }
  if (state.SerializeAsString() != state_.SerializeAsString()) {
    state_ = std::move(state);
    board_.Post(state_);
    LOG(INFO) << target_->name() << " is " << SinkSummary(state_);
  }
}

void SinkThread::NoteFailure(const Status& failure) {
  if (!state_.has_error()) {
    state_.set_error_since_seconds(clock_.WallSeconds());
    LOG(WARNING) << target_->name() << ": " << failure << "; it is tried again";
  }
  if (state_.error() != failure.message()) {
    state_.set_error(failure.message());
    board_.Post(state_);
  }
}

void SinkThread::NoteSuccess() {
  if (!state_.has_error()) {
    return;
  }
  LOG(INFO) << target_->name() << ": is at version " << state_.version() << " again, after "
            << clock_.WallSeconds() - state_.error_since_seconds() << " s";
  state_.clear_error();
  state_.clear_error_since_seconds();
  board_.Post(state_);
}

}  // namespace antiphon
