// Vocabulary: texts and their numbers in order of first appearance, 0, 1, 2, ...
//
// Owned while it grows, frozen after that: lookups from several threads are then fine. Open
// addressing over one arena, because a job looks up every categorical value of every row.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace antiphon {

class Vocabulary {
 public:
  static constexpr uint32_t kNotFound = 0xffffffff;

  Vocabulary();

  // The number of `text`, a new one when it is not yet here.
  uint32_t Add(std::string_view text);
  // kNotFound when it is not here.
  uint32_t Find(std::string_view text) const;

  uint32_t size() const { return static_cast<uint32_t>(ends_.size()); }
  std::string_view operator[](uint32_t number) const;

 private:
  struct Slot {
    uint32_t number = kNotFound;
    uint32_t tag = 0;  // other bits of the hash, so that few foreign texts are compared
  };

  // The slot that holds `text` or, free, would hold it.
  size_t Probe(std::string_view text, uint64_t hash) const;
  void Grow();

  std::vector<Slot> slots_;  // a power of two, at most half full
  std::string arena_;
  std::vector<size_t> ends_;  // text i lies in the arena from the end of the one before to here
};

}  // namespace antiphon
