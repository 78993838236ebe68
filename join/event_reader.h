// EventReader and SampleSink: the seams between a joiner and the world.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/base/types.h"
#include "join/join_event.h"

namespace antiphon {

// The events of one partition in their order. The event at a position is the same whoever reads it
// and whenever. Owned by one thread.
class EventReader {
 public:
  virtual ~EventReader() = default;

  virtual const std::string& partition() const = 0;  // its name, the same in every life

  // Goes to where another reader stood; without this call a reader stands at the beginning.
  virtual Status Seek(Position position) = 0;

  enum class Outcome : uint8_t {
    kEvent,
    kBadEvent,  // a record that is no event; its position passes
    kNothing,   // not now
    kEnd,       // and never again
  };
  // Does not wait. Fills `event` with kEvent.
  virtual StatusOr<Outcome> Next(JoinEvent& event) = 0;

  // Behind the last event that Next gave.
  virtual Position position() const = 0;
};

// Samples that are published together.
struct SampleGroup {
  uint64_t number = 0;  // of the group: 0, 1, 2, ...
  uint64_t first = 0;   // the number of the first sample; those behind it follow
  std::vector<std::string> records;
};

// Where samples go. Owned by one thread.
class SampleSink {
 public:
  virtual ~SampleSink() = default;

  // The last group may come again, as it was, after a restart: it must then not count twice. On
  // return it is where a power cut cannot reach it.
  virtual Status Publish(const SampleGroup& group) = 0;

  // No sample will follow. May be said again after a restart.
  virtual Status End() = 0;
};

}  // namespace antiphon
