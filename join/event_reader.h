// EventReader: the seam between a joiner and where events come from.
#pragma once

#include <cstdint>
#include <string>

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

  // Whether a reader that stood here had read anything. If not, nothing can be missing: what the
  // source still has there or behind it is where it begins.
  enum class Past : uint8_t { kUntouched, kRead };
  // Goes to where another reader stood; without this call a reader stands where it is to begin.
  virtual Status Seek(Position position, Past past) = 0;

  enum class Outcome : uint8_t {
    kEvent,
    kBadEvent,  // a record that is no event; its position passes
    kNothing,   // not now
    kEnd,       // and never again
  };
  // Does not wait for more to come. Fills `event` with kEvent.
  virtual StatusOr<Outcome> Next(JoinEvent& event) = 0;

  // Behind the last event that Next gave.
  virtual Position position() const = 0;

  // There is more and it is about to come, or the source is away: silence says nothing.
  virtual bool may_have_more() const = 0;
};

}  // namespace antiphon
