#include "stream/record_window.h"

#include <utility>

#include "common/base/rng.h"

namespace antiphon {

void RecordWindow::Clear() {
  text_.clear();
  entries_.clear();
}

Status RecordWindow::Fill(RecordReader& reader, uint64_t count) {
  Clear();
  first_record_ = reader.next_record();
  Record record;
  for (uint64_t i = 0; i < count; ++i) {
    AP_ASSIGN_OR_RETURN(const bool is_there, reader.Next(record));
    if (!is_there) {
      return DataLossError(reader.path() + ": ends after " + std::to_string(reader.next_record()) +
                           " records, expected " + std::to_string(first_record_ + count) +
                           ": the file has changed since the job was planned");
    }
    entries_.push_back({.begin = text_.size(),
                        .size = static_cast<uint32_t>(record.text.size()),
                        .order = static_cast<uint32_t>(i),
                        .reason = record.reason});
    text_.append(record.text);
  }
  return Status();
}

// Fisher and Yates.
void RecordWindow::Shuffle(uint64_t seed) {
  Rng rng(seed);
  for (uint64_t i = entries_.size(); i > 1; --i) {
    std::swap(entries_[i - 1], entries_[rng.Below(i)]);
  }
}

}  // namespace antiphon
