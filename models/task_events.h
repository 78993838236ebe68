// TaskEvents: what the tasks of a funnel have to do with each other. Task k is event k; an event
// may come about in several ways, each of them that an earlier event has happened, or that it
// could have and has not. Tasks of other models are events that nothing has to come before.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace antiphon {

struct EventWay {
  uint32_t event = 0;    // an earlier one
  bool happened = true;  // false: it could have happened and has not

  friend bool operator==(const EventWay&, const EventWay&) = default;
};

struct TaskEvent {
  std::vector<EventWay> ways;    // none: it may happen in every sample
  std::string conditional_name;  // what metrics call its probability given one of its ways
};

}  // namespace antiphon
