// RedisProcess: a redis-server of a test's own, with an append-only file, that can be killed and
// started again.
#pragma once

#include <string>
#include <sys/types.h>
#include <vector>

#include "serving/push/sink_address.h"
#include "stream/redis_client.h"

namespace antiphon {

class RedisProcess {
 public:
  // Keeps its file in `folder`, which is there.
  RedisProcess(std::string folder, std::vector<std::string> options = {});
  ~RedisProcess();
  RedisProcess(const RedisProcess&) = delete;
  RedisProcess& operator=(const RedisProcess&) = delete;

  void Start();  // returns once it answers
  void Kill();   // SIGKILL

  RedisAddress address() const;
  // The replies of a command, as lines of text.
  RedisReply Ask(const RedisClient::Command& command);

 private:
  const std::string folder_;
  const std::vector<std::string> options_;
  int port_ = 0;
  pid_t pid_ = 0;  // 0: not running
};

}  // namespace antiphon
