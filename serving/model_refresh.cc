#include "serving/model_refresh.h"

#include <utility>

namespace antiphon {

ModelRefresh::ModelRefresh(LiveModel& model, std::chrono::milliseconds period, Listener listener)
    : model_(model), period_(period), listener_(std::move(listener)) {
  thread_ = Thread("refresh", [this] { Run(); });
}

void ModelRefresh::Stop() {
  {
    MutexLock lock(mu_);
    stop_ = true;
    changed_.SignalAll();
  }
  thread_.Join();
}

void ModelRefresh::Run() {
  while (Wait()) {
    const StatusOr<bool> moved = model_.Refresh();
    if (listener_ != nullptr) {
      listener_(moved);
    }
  }
}

bool ModelRefresh::Wait() {
  MutexLock lock(mu_);
  // A wait may end before its time; a refresh too many costs a look at one small file.
  if (!stop_) {
    changed_.WaitFor(mu_, period_);
  }
  return !stop_;
}

}  // namespace antiphon
