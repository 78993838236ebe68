#include "common/base/signals.h"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "common/base/logging.h"

namespace antiphon {

namespace {

constexpr int kShellSignalBase = 128;  // a shell reports signal n as 128 + n
constexpr uint8_t kStop = 0;           // in the pipe, where signals have their numbers

// Where the handler writes, -1 when nobody watches. A handler can reach nothing but a global.
std::atomic<int> handler_fd = -1;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)

void PassOn(int signal) {
  const int saved_errno = errno;
  const auto number = static_cast<uint8_t>(signal);
  // A full pipe has more signals in it than anybody will ask for.
  [[maybe_unused]] const ssize_t written = write(handler_fd.load(), &number, sizeof(number));
  errno = saved_errno;
}

sigset_t WatchedSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

Status SystemError(const char* what) {
  return InternalError(std::string(what) + ": " + std::generic_category().message(errno));
}

}  // namespace

StatusOr<std::unique_ptr<SignalWatcher>> SignalWatcher::Start(
    std::function<void(int signal)> on_signal) {
  ::signal(SIGPIPE, SIG_IGN);
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0 || fcntl(fds[1], F_SETFL, O_NONBLOCK) != 0) {
    return SystemError("cannot open a pipe for signals");
  }
  std::unique_ptr<SignalWatcher> watcher(new SignalWatcher(fds[0], fds[1], std::move(on_signal)));
  const sigset_t signals = WatchedSignals();
  if (pthread_sigmask(SIG_BLOCK, &signals, nullptr) != 0) {
    return SystemError("cannot block signals");
  }
  struct sigaction action = {};
  action.sa_handler = PassOn;
  action.sa_flags = SA_RESTART;
  if (sigaction(SIGINT, &action, nullptr) != 0 || sigaction(SIGTERM, &action, nullptr) != 0) {
    return SystemError("cannot handle signals");
  }
  return watcher;
}

SignalWatcher::SignalWatcher(int read_fd, int write_fd, std::function<void(int signal)> on_signal)
    : read_fd_(read_fd), write_fd_(write_fd), on_signal_(std::move(on_signal)) {
  CHECK_EQ(handler_fd.exchange(write_fd), -1) << "a process has one SignalWatcher";
  thread_ = Thread("signals", [this] { Watch(); });
}

SignalWatcher::~SignalWatcher() {
  handler_fd.store(-1);
  while (write(write_fd_, &kStop, sizeof(kStop)) < 0) {
    CHECK(errno == EINTR || errno == EAGAIN) << std::generic_category().message(errno);
  }
  thread_.Join();
  close(read_fd_);
  close(write_fd_);
}

void SignalWatcher::Watch() {
  // One thread at least must be open to signals, or they would wait for ever.
  const sigset_t signals = WatchedSignals();
  CHECK_EQ(pthread_sigmask(SIG_UNBLOCK, &signals, nullptr), 0);
  bool called = false;
  while (true) {
    // Handlers run while poll waits, even under ThreadSanitizer: g++ 12's puts them off for as long
    // as a thread is in a read.
    pollfd readable{.fd = read_fd_, .events = POLLIN, .revents = 0};
    if (poll(&readable, 1, -1) != 1) {
      continue;  // interrupted
    }
    uint8_t number = kStop;
    if (read(read_fd_, &number, sizeof(number)) != static_cast<ssize_t>(sizeof(number))) {
      continue;  // interrupted
    }
    if (number == kStop) {
      return;
    }
    if (called) {
      _exit(kShellSignalBase + number);
    }
    called = true;
    on_signal_(number);
  }
}

}  // namespace antiphon
