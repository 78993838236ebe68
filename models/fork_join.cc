#include "models/fork_join.h"

#include <string>

namespace antiphon {

ForkJoin::ForkJoin(int threads) {
  for (int i = 1; i < threads; ++i) {
    threads_.emplace_back("compute-" + std::to_string(i), [this, i] { Serve(i); });
  }
}

ForkJoin::~ForkJoin() {
  {
    MutexLock lock(mu_);
    stopping_ = true;
    start_.SignalAll();
  }
  threads_.clear();
}

void ForkJoin::Run(const std::function<void(int)>& body) {
  {
    MutexLock lock(mu_);
    body_ = &body;
    running_ = threads() - 1;
    ++round_;
    start_.SignalAll();
  }
  body(0);
  MutexLock lock(mu_);
  while (running_ > 0) {
    done_.Wait(mu_);
  }
  body_ = nullptr;
}

void ForkJoin::Serve(int index) {
  uint64_t served = 0;
  while (true) {
    const std::function<void(int)>* body = nullptr;
    {
      MutexLock lock(mu_);
      while (round_ == served && !stopping_) {
        start_.Wait(mu_);
      }
      if (stopping_) {
        return;
      }
      served = round_;
      body = body_;
    }
    (*body)(index);
    MutexLock lock(mu_);
    if (--running_ == 0) {
      done_.Signal();
    }
  }
}

}  // namespace antiphon
