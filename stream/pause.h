// Pause: what a reading thread does between two looks at a source that cannot tell it when more has
// come, such as a folder.
#pragma once

#include "common/base/clock.h"

namespace antiphon {

// Lets `duration` pass on the machine's clock; at once when it is not positive.
void Pause(Duration duration);

}  // namespace antiphon
