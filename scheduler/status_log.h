// StatusLog: the last times that something happened to the cluster which takes a while, each with
// what is known of it so far. For ps_ctl and people; outlives the scheduler by way of its journal.
//
// A state machine without a thread; `now` is passed in. Owned by the scheduler's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>

#include "common/base/clock.h"

namespace antiphon {

// `Status` is the message that says how it stands.
template <typename Status>
class StatusLog {
 public:
  struct Entry {
    Status status;
    Time began_at;
  };

  // One more; the oldest goes when there are too many.
  Entry& Begin(Time began_at) {
    if (entries_.size() == kMaxEntries) {
      entries_.pop_front();
    }
    Entry& entry = entries_.emplace_back();
    entry.began_at = began_at;
    return entry;
  }

  std::deque<Entry>& entries() { return entries_; }

  // An entry says something else that is worth keeping.
  void NoteChange() { has_news_ = true; }
  // Whether that was so since the last call.
  bool TakeNews() { return std::exchange(has_news_, false); }

  // Oldest first.
  template <typename Out>
  void Describe(Out* out) const {
    for (const Entry& entry : entries_) {
      *out->Add() = entry.status;
    }
  }

  // What Describe has written; `began_seconds` is when that of an entry began, by the wall clock.
  template <typename In, typename BeganSeconds>
  void Load(const In& in, BeganSeconds began_seconds, Time now, int64_t wall_seconds) {
    entries_.clear();
    for (const Status& status : in) {
      Begin(now - std::chrono::seconds(wall_seconds - began_seconds(status))).status = status;
    }
  }

 private:
  static constexpr size_t kMaxEntries = 32;

  std::deque<Entry> entries_;
  bool has_news_ = false;
};

}  // namespace antiphon
