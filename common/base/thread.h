// Thread: a named thread that is joined when it goes out of scope.
//
// The owner tells the body to end by its own means (a closed queue, a stop flag and a waker)
// before it lets the Thread go. Nothing is ever detached.
#pragma once

#include <functional>
#include <string>
#include <thread>

namespace antiphon {

class Thread {
 public:
  Thread() = default;  // not running
  // `name` is what `top -H` shows; the kernel keeps its first 15 bytes.
  Thread(const std::string& name, std::function<void()> body);
  ~Thread() { Join(); }

  Thread(Thread&& other) noexcept = default;
  Thread& operator=(Thread&& other) noexcept;

  // Waits for the body to return. A second call does nothing.
  void Join();

 private:
  std::thread thread_;
};

}  // namespace antiphon
