#include "stream/pause.h"

#include "common/base/mutex.h"

namespace antiphon {

void Pause(Duration duration) {
  if (duration <= Duration::zero()) {
    return;
  }
  Mutex mu;
  CondVar never;
  MutexLock lock(mu);
  while (never.WaitFor(mu, duration)) {
  }
}

}  // namespace antiphon
