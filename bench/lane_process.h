// LaneProcess: one lane of a server in a process of its own, for benchmarks whose client must not
// share its processor time, caches or memory with it.
#pragma once

#include <string>
#include <sys/types.h>

namespace antiphon {

class LaneProcess {
 public:
  // Forks, so there must be no other thread yet. The lane listens on 127.0.0.1.
  LaneProcess();
  ~LaneProcess();  // ends it
  LaneProcess(const LaneProcess&) = delete;
  LaneProcess& operator=(const LaneProcess&) = delete;

  const std::string& address() const { return address_; }

 private:
  pid_t pid_ = 0;
  std::string address_;
};

}  // namespace antiphon
