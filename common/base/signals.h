// SignalWatcher: turns SIGINT and SIGTERM into a call on an ordinary thread.
//
// A main makes one before any other thread, so that all of them inherit the blocked signals. The
// first signal calls back, for an orderly stop; the next one ends the process at once with the
// shell's code for it, for whoever does not want to wait. SIGPIPE is ignored.
#pragma once

#include <functional>
#include <memory>

#include "common/base/status.h"
#include "common/base/thread.h"

namespace antiphon {

class SignalWatcher {
 public:
  // `on_signal` runs on the watcher's thread and gets the signal's number.
  static StatusOr<std::unique_ptr<SignalWatcher>> Start(std::function<void(int signal)> on_signal);
  ~SignalWatcher();
  SignalWatcher(const SignalWatcher&) = delete;
  SignalWatcher& operator=(const SignalWatcher&) = delete;

 private:
  SignalWatcher(int signal_fd, int stop_fd, std::function<void(int signal)> on_signal);
  void Watch();

  int signal_fd_;
  int stop_fd_;
  std::function<void(int signal)> on_signal_;
  Thread thread_;
};

}  // namespace antiphon
