#include "common/base/clock.h"

namespace antiphon {

Time SystemClock::Now() {
  return std::chrono::steady_clock::now();
}

int64_t SystemClock::WallMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

double SecondsBetween(Time begin, Time end) {
  return std::chrono::duration<double>(end - begin).count();
}

}  // namespace antiphon
