// ForkJoin: a few threads that run the same function at once, each with its own index.
//
// The thread that calls Run is number 0 and works too. Guarded state; one thread calls Run.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "common/base/mutex.h"
#include "common/base/thread.h"

namespace antiphon {

class ForkJoin {
 public:
  explicit ForkJoin(int threads);
  ~ForkJoin();
  ForkJoin(const ForkJoin&) = delete;
  ForkJoin& operator=(const ForkJoin&) = delete;

  // Runs body(0) ... body(threads - 1) and returns when all have.
  void Run(const std::function<void(int)>& body) AP_EXCLUDES(mu_);

  int threads() const { return static_cast<int>(threads_.size()) + 1; }

 private:
  void Serve(int index) AP_EXCLUDES(mu_);

  Mutex mu_;
  CondVar start_;
  CondVar done_;
  const std::function<void(int)>* body_ AP_GUARDED_BY(mu_) = nullptr;
  uint64_t round_ AP_GUARDED_BY(mu_) = 0;
  int running_ AP_GUARDED_BY(mu_) = 0;
  bool stopping_ AP_GUARDED_BY(mu_) = false;
  std::vector<Thread> threads_;
};

}  // namespace antiphon
