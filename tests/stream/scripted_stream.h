// ScriptedStream: a RecordStream that gives what a test has put into it.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "stream/record_stream.h"

namespace antiphon {

class ScriptedStream final : public RecordStream {
 public:
  struct Entry {
    Position position = 0;
    std::string payload;
  };

  Status Open(const std::string& partition, Position from, Beginning beginning) override {
    opened_.push_back(partition + "@" + std::to_string(from) +
                      (beginning == Beginning::kFresh ? " fresh" : ""));
    return Status();
  }
  StatusOr<StreamRead> Next(Duration, StreamRecord& record) override {
    ++reads_;
    if (on_nothing_ && entries_.empty()) {
      on_nothing_();
    }
    if (entries_.empty()) {
      return ended_ ? StreamRead::kEnd : StreamRead::kNothing;
    }
    last_ = entries_.front();
    entries_.pop_front();
    record = {.payload = last_.payload, .position = last_.position, .next = last_.position + 1};
    return StreamRead::kRecord;
  }
  SourceReport report() const override { return {.is_known = true, .behind = behind_, .away = {}}; }

  std::deque<Entry> entries_;
  bool ended_ = false;
  uint64_t behind_ = 0;
  std::function<void()> on_nothing_;  // time passes
  std::vector<std::string> opened_;
  int reads_ = 0;

 private:
  Entry last_;
};

}  // namespace antiphon
