// SignalWatcher: turns SIGINT and SIGTERM into a call on an ordinary thread.
//
// A main makes one before any other thread, so that all of them inherit the blocked signals. Some
// libraries have threads before main begins (OpenBLAS does), and a signal may reach one of those:
// hence a handler, which passes it on to the watcher's thread. The first signal calls back, for an
// orderly stop; the next one ends the process at once with the shell's code for it, for whoever
// does not want to wait. SIGPIPE is ignored. There is at most one watcher at a time.
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
  SignalWatcher(int read_fd, int write_fd, std::function<void(int signal)> on_signal);
  void Watch();

  int read_fd_;  // of a pipe that the handler and the destructor write to
  int write_fd_;
  std::function<void(int signal)> on_signal_;
  Thread thread_;
};

}  // namespace antiphon
