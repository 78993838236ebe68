// RowSweeper: forgets rows of a lane, a few at a time, while it works.
//
// A hand goes round through the memory of all tables once a minute. What it looks at goes when the
// table's policy says so (too long without a push, too low a score), and, when the lane has little
// room left, when its score is among the lowest: how low is told from a sample of the rows. As long
// as room is short the hand goes as fast as it may, and tables admit fewer and fewer new ids. A row
// that an open pull has found stays where it is, so pulls that nobody has answered for long are
// forgotten: their pushes will come with keys. Owned by a Lane and used on its thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/base/clock.h"
#include "common/base/rng.h"
#include "common/base/types.h"
#include "server/lane_state.h"
#include "server/row_table.h"

namespace antiphon {

class RowSweeper {
 public:
  // 0: as much memory as it takes.
  RowSweeper(LaneState& state, Clock& clock, uint64_t memory_limit)
      : state_(state), clock_(clock), memory_limit_(memory_limit) {}

  // One slice. True when the next one should follow at once: the hand is late, or room is short.
  bool Advance();

  // The rows are others now: begins anew.
  void Restart();

 private:
  struct Candidate {
    TableId table = 0;
    std::byte* row = nullptr;
    EraseReason reason = EraseReason::kAge;
  };

  bool HasWork() const;
  void WatchRoom();
  void ChooseThreshold(double share);
  void Sweep(uint64_t places);
  void SweepTable(RowTable& table, uint64_t begin, uint64_t end);
  void Evict();
  void ForgetOldPulls(Time now);

  LaneState& state_;
  Clock& clock_;
  const uint64_t memory_limit_;
  Rng rng_{1};
  bool is_short_ = false;     // of room
  double threshold_ = -1;     // rows with this score or less go while room is short
  uint32_t now_seconds_ = 0;  // of rows
  Time last_advance_;
  double places_due_ = 0;
  TableId table_ = 0;  // where the hand stands
  uint64_t place_ = 0;
  std::vector<Candidate> candidates_;
  Time candidates_due_;
  // Numbers of pulls opened half a minute and a minute ago, about.
  std::array<uint64_t, 2> pull_marks_ = {0, 0};
  Time marks_due_;
};

}  // namespace antiphon
