// ModelRefresh: the thread that has a LiveModel look for something newer every so often.
//
// Owned by one thread, which ends it by Stop or by letting it go.
#pragma once

#include <chrono>
#include <functional>

#include "common/base/mutex.h"
#include "common/base/status.h"
#include "common/base/thread.h"
#include "serving/live_model.h"

namespace antiphon {

class ModelRefresh {
 public:
  // Called on the thread after each refresh with what it returned.
  using Listener = std::function<void(const StatusOr<bool>& moved)>;

  // Starts. `model` and what `listener` uses outlive the refresh; `listener` may be null.
  ModelRefresh(LiveModel& model, std::chrono::milliseconds period, Listener listener);
  ~ModelRefresh() { Stop(); }
  ModelRefresh(const ModelRefresh&) = delete;
  ModelRefresh& operator=(const ModelRefresh&) = delete;

  void Stop() AP_EXCLUDES(mu_);

 private:
  void Run() AP_EXCLUDES(mu_);
  // False once it is to end.
  bool Wait() AP_EXCLUDES(mu_);

  LiveModel& model_;
  const std::chrono::milliseconds period_;
  const Listener listener_;
  Mutex mu_;
  CondVar changed_;
  bool stop_ AP_GUARDED_BY(mu_) = false;
  Thread thread_;  // last: it reads what stands above
};

}  // namespace antiphon
