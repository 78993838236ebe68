#include "tests/serving/push/redis_process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include <gtest/gtest.h>

#include "stream/pause.h"

namespace antiphon {
namespace {

// One that nobody listens at by now.
int FreePort() {
  const int probe = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  EXPECT_EQ(bind(probe, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(getsockname(probe, reinterpret_cast<sockaddr*>(&address), &size), 0);
  close(probe);
  return ntohs(address.sin_port);
}

}  // namespace

RedisProcess::RedisProcess(std::string folder, std::vector<std::string> options)
    : folder_(std::move(folder)), options_(std::move(options)), port_(FreePort()) {
  Start();
}

RedisProcess::~RedisProcess() {
  Kill();
}

void RedisProcess::Start() {
  // A test that ends in a crash takes its server with it.
  std::vector<std::string> arguments = {"setpriv",      "--pdeathsig",
                                        "KILL",         "redis-server",
                                        "--bind",       "127.0.0.1",
                                        "--port",       std::to_string(port_),
                                        "--save",       "",
                                        "--appendonly", "yes",
                                        "--dir",        folder_,
                                        "--logfile",    folder_ + "/log"};
  arguments.insert(arguments.end(), options_.begin(), options_.end());
  std::vector<char*> argv;
  for (std::string& argument : arguments) {
    argv.push_back(argument.data());
  }
  argv.push_back(nullptr);
  ASSERT_EQ(posix_spawnp(&pid_, "setpriv", nullptr, nullptr, argv.data(), environ), 0)
      << "there is no redis-server; install it";
  const std::unique_ptr<RedisClient> client = RedisClient::Create(address().server).value();
  for (StatusOr<RedisReply> pong = client->Call({"PING"});
       pong.status().code() == StatusCode::kUnavailable; pong = client->Call({"PING"})) {
    ASSERT_EQ(waitpid(pid_, nullptr, WNOHANG), 0) << "redis-server ended, see " << folder_;
    Pause(std::chrono::milliseconds(5));
  }
}

void RedisProcess::Kill() {
  if (pid_ != 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
}

RedisAddress RedisProcess::address() const {
  RedisAddress address;
  address.server.set_address("127.0.0.1:" + std::to_string(port_));
  return address;
}

RedisReply RedisProcess::Ask(const RedisClient::Command& command) {
  return std::move(RedisClient::Create(address().server).value()->Call(command)).value();
}

}  // namespace antiphon
