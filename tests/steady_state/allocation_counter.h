// AllocationCounter: how often a thread asks for memory.
//
// This binary has a malloc of its own, which counts and passes on; operator new, the standard
// library, protobuf and every other library come through it. Not for builds with a sanitizer,
// which has its own malloc too.
#pragma once

#include <cstdint>

namespace antiphon {

// Counts what the calling thread allocates from its construction on.
class AllocationCounter {
 public:
  AllocationCounter() : before_(Total()) {}

  uint64_t count() const { return Total() - before_; }

 private:
  static uint64_t Total();  // of this thread

  uint64_t before_;
};

}  // namespace antiphon
