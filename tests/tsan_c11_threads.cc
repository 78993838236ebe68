// For ThreadSanitizer, which sees threads begin in pthread_create alone: librdkafka begins its own
// by the C library's thrd_create, and code of ours that it calls on one of them would fall over
// the state that the sanitizer keeps for each thread and has not made for this one.
#ifdef __SANITIZE_THREAD__

#include <cstdint>
#include <memory>
#include <pthread.h>
#include <threads.h>

namespace {

struct Start {
  thrd_start_t function = nullptr;
  void* argument = nullptr;
};

void* Run(void* given) {
  const std::unique_ptr<Start> start(static_cast<Start*>(given));
  const intptr_t result = start->function(start->argument);
  return reinterpret_cast<void*>(result);  // as thrd_join gives it back
}

}  // namespace

extern "C" int thrd_create(thrd_t* thread, thrd_start_t function, void* argument) {
  auto start = std::make_unique<Start>(Start{.function = function, .argument = argument});
  if (pthread_create(thread, nullptr, &Run, start.get()) != 0) {
    return thrd_error;
  }
  start.release();  // the thread has it
  return thrd_success;
}

extern "C" int thrd_join(thrd_t thread, int* result) {
  void* value = nullptr;
  if (pthread_join(thread, &value) != 0) {
    return thrd_error;
  }
  if (result != nullptr) {
    *result = static_cast<int>(reinterpret_cast<intptr_t>(value));
  }
  return thrd_success;
}

#endif  // __SANITIZE_THREAD__
