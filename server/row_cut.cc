#include "server/row_cut.h"

#include <algorithm>

#include "common/base/logging.h"

namespace antiphon {

void RowCut::Begin(CutScope scope, const RowStore& store, RowSink& sink) {
  CHECK(!open_);
  open_ = true;
  reached_ ^= kRowReachedFlag;
  scope_ = scope;
  store_ = &store;
  sink_ = &sink;
  next_place_ = 0;
  end_place_ = store.place_count();
}

bool RowCut::Advance(uint64_t places) {
  const uint64_t end = std::min(end_place_, next_place_ + places);
  store_->ForEachPlace(next_place_, end, [this](std::byte* row) {
    if (HeaderOf(row).seen_and_flags != kFreePlace) {
      Save(row);
    }
  });
  next_place_ = end;
  open_ = next_place_ < end_place_;
  return open_;
}

}  // namespace antiphon
