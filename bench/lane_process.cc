#include "bench/lane_process.h"

#include <csignal>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/logging.h"
#include "common/net/zmq_transport.h"
#include "server/lane.h"

namespace antiphon {
namespace {

// The child: one lane on this thread, until the parent goes.
[[noreturn]] void Serve(int address_pipe) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  SystemClock clock;
  PosixFileSystem fs;
  SnapshotWriter snapshots(fs, SnapshotWriter::Mode::kThread);
  StatusOr<std::unique_ptr<ZmqTransport>> transport = ZmqTransport::Create();
  CHECK(transport.ok()) << transport.status();
  StatusOr<std::unique_ptr<Endpoint>> endpoint =
      (*transport)->Open({.name = "lane 0", .listen_address = "tcp://127.0.0.1:0"});
  CHECK(endpoint.ok()) << endpoint.status();
  Lane lane(**endpoint, clock, fs, snapshots, {.incarnation = 1});
  const std::string address = (*endpoint)->address() + "\n";
  CHECK_EQ(write(address_pipe, address.data(), address.size()),
           static_cast<ssize_t>(address.size()));
  for (;;) {
    lane.Poll(std::chrono::seconds(1));
  }
}

}  // namespace

LaneProcess::LaneProcess() {
  int pipe_fds[2];
  CHECK_EQ(pipe(pipe_fds), 0);
  pid_ = fork();
  CHECK_GE(pid_, 0);
  if (pid_ == 0) {
    close(pipe_fds[0]);
    Serve(pipe_fds[1]);
  }
  close(pipe_fds[1]);
  for (char c = 0; read(pipe_fds[0], &c, 1) == 1 && c != '\n';) {
    address_ += c;
  }
  close(pipe_fds[0]);
}

LaneProcess::~LaneProcess() {
  kill(pid_, SIGTERM);
  waitpid(pid_, nullptr, 0);
}

}  // namespace antiphon
