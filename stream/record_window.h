// RecordWindow: some consecutive records of a file, kept as text so that they can be taken in any
// order. Owned by one thread; its memory is used again.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "stream/record_reader.h"

namespace antiphon {

class RecordWindow {
 public:
  // The `count` records that `reader` gives next. Fails when the file ends before that.
  Status Fill(RecordReader& reader, uint64_t count);

  // Puts them in an order that depends on nothing but `seed` and their number.
  void Shuffle(uint64_t seed);

  void Clear();
  uint64_t size() const { return entries_.size(); }
  Record record(uint64_t i) const {
    const Entry& entry = entries_[i];
    return {std::string_view(text_).substr(entry.begin, entry.size), entry.reason};
  }
  // Its number in the file.
  uint64_t number(uint64_t i) const { return first_record_ + entries_[i].order; }

 private:
  struct Entry {
    uint64_t begin = 0;
    uint32_t size = 0;
    uint32_t order = 0;  // in the file, from the first one of the window
    BadRowReason reason = BadRowReason::kNone;
  };

  uint64_t first_record_ = 0;
  std::string text_;
  std::vector<Entry> entries_;
};

}  // namespace antiphon
