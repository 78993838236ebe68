#include "common/base/signals.h"

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <utility>

#include "common/base/logging.h"

namespace antiphon {

namespace {

constexpr int kShellSignalBase = 128;  // a shell reports signal n as 128 + n

Status SystemError(const char* what) {
  return InternalError(std::string(what) + ": " + std::strerror(errno));
}

}  // namespace

StatusOr<std::unique_ptr<SignalWatcher>> SignalWatcher::Start(
    std::function<void(int signal)> on_signal) {
  ::signal(SIGPIPE, SIG_IGN);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  if (pthread_sigmask(SIG_BLOCK, &signals, nullptr) != 0) {
    return SystemError("cannot block signals");
  }
  const int signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signal_fd < 0) {
    return SystemError("cannot open a signalfd");
  }
  const int stop_fd = eventfd(0, EFD_CLOEXEC);
  if (stop_fd < 0) {
    const Status status = SystemError("cannot open an eventfd");
    close(signal_fd);
    return status;
  }
  return std::unique_ptr<SignalWatcher>(
      new SignalWatcher(signal_fd, stop_fd, std::move(on_signal)));
}

SignalWatcher::SignalWatcher(int signal_fd, int stop_fd, std::function<void(int signal)> on_signal)
    : signal_fd_(signal_fd), stop_fd_(stop_fd), on_signal_(std::move(on_signal)) {
  thread_ = Thread("signals", [this] { Watch(); });
}

SignalWatcher::~SignalWatcher() {
  const uint64_t one = 1;
  CHECK_EQ(write(stop_fd_, &one, sizeof(one)), static_cast<ssize_t>(sizeof(one)));
  thread_.Join();
  close(signal_fd_);
  close(stop_fd_);
}

void SignalWatcher::Watch() {
  bool called = false;
  while (true) {
    pollfd fds[] = {{.fd = signal_fd_, .events = POLLIN, .revents = 0},
                    {.fd = stop_fd_, .events = POLLIN, .revents = 0}};
    if (poll(fds, 2, -1) < 0) {
      continue;  // interrupted
    }
    if (fds[1].revents != 0) {
      return;
    }
    signalfd_siginfo info;
    if (read(signal_fd_, &info, sizeof(info)) != static_cast<ssize_t>(sizeof(info))) {
      continue;
    }
    const int signal = static_cast<int>(info.ssi_signo);
    if (called) {
      _exit(kShellSignalBase + signal);
    }
    called = true;
    on_signal_(signal);
  }
}

}  // namespace antiphon
