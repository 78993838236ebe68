#include "scheduler/move_log.h"

#include "common/base/logging.h"
#include "common/base/text.h"

namespace antiphon {

void MoveLog::Began(const std::string& reason, uint32_t shards, Time now, int64_t wall_seconds) {
  if (entries_.size() == kMaxEntries) {
    entries_.pop_front();
  }
  Entry& entry = entries_.emplace_back();
  entry.began_at = now;
  entry.status.set_reason(reason);
  entry.status.set_began_seconds(wall_seconds);
  entry.status.set_shards(shards);
  LOG(INFO) << reason << ": " << shards << " shards move to other lanes";
}

void MoveLog::Closed(Time now) {
  Entry& entry = entries_.back();
  entry.status.set_closed_after(SecondsBetween(entry.began_at, now));
}

void MoveLog::Serving(Time now) {
  Entry& entry = entries_.back();
  entry.status.set_phase("done");
  entry.status.set_serving_after(SecondsBetween(entry.began_at, now));
  LOG(INFO) << entry.status.reason() << ": " << entry.status.shards() << " shards with "
            << entry.status.rows() << " rows have moved within "
            << FormatSeconds(entry.status.serving_after()) << "; lanes stood still for "
            << FormatSeconds(entry.status.serving_after() - entry.status.closed_after());
}

void MoveLog::GivenUp(const std::string& why) {
  Entry& entry = entries_.back();
  entry.status.set_phase("given up: " + why);
  LOG(WARNING) << entry.status.reason() << ": the move is given up: " << why;
}

}  // namespace antiphon
