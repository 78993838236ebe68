// RowCut: the rows of a table as they stand at one moment, given away bit by bit while the table
// goes on changing.
//
// The moment costs nothing: Begin only changes what the rows' "reached" flag is compared with. From
// then on each row is given away once, as it was at that moment: by Advance, which walks through
// the memory of the rows, or by Save, which the table calls before it changes or removes one. Rows
// made later count as reached. A second flag, "touched", is set by every change and cleared when a
// cut reaches the row, so that a cut can be limited to what changed since the one before. Owned by
// one RowTable and used on its lane's thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "server/row_layout.h"
#include "server/row_store.h"

namespace antiphon {

enum class CutScope { kAllRows, kTouchedRows };

// Takes what a cut gives away; the bytes are good during the call. The flags of the header are
// whatever they are.
class RowSink {
 public:
  virtual ~RowSink() = default;
  virtual void Take(const std::byte* row) = 0;
};

class RowCut {
 public:
  // The flags of a row that is made or changed now, and of one that comes from a snapshot.
  uint32_t touched_flags() const { return reached_ | kRowTouchedFlag; }
  uint32_t untouched_flags() const { return reached_; }

  // The cut is now. It is not open; `store` and `sink` outlive it.
  void Begin(CutScope scope, const RowStore& store, RowSink& sink);

  bool open() const { return open_; }

  // Before a row changes or goes; only while open.
  void Save(std::byte* row) {
    uint32_t& word = HeaderOf(row).seen_and_flags;
    if ((word & kRowReachedFlag) == reached_) {
      return;
    }
    if (sink_ != nullptr && (scope_ == CutScope::kAllRows || (word & kRowTouchedFlag) != 0)) {
      sink_->Take(row);
    }
    word = (word & kRowSecondsMask) | reached_;
  }

  // Looks at up to `places` places. False once every row is reached: the cut is then over.
  bool Advance(uint64_t places);

  // Nobody wants the rest. The cut stays open until Advance has reached every row; what was touched
  // before it is forgotten, so that the next cut must be one of all rows.
  void Abandon() { sink_ = nullptr; }

 private:
  uint32_t reached_ = 0;  // the flag of rows that are reached: it changes sides with every cut
  bool open_ = false;
  CutScope scope_ = CutScope::kAllRows;
  const RowStore* store_ = nullptr;
  RowSink* sink_ = nullptr;  // null: abandoned
  uint64_t next_place_ = 0;
  uint64_t end_place_ = 0;  // places past it were empty at the cut
};

}  // namespace antiphon
