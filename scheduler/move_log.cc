#include "scheduler/move_log.h"

#include "common/base/logging.h"
#include "common/base/text.h"

namespace antiphon {

void MoveLog::Began(const std::string& reason, uint32_t shards, Time now, int64_t wall_seconds) {
  StatusLog<MoveStatus>::Entry& entry = log_.Begin(now);
  log_.NoteChange();
  entry.status.set_reason(reason);
  entry.status.set_began_seconds(wall_seconds);
  entry.status.set_shards(shards);
  LOG(INFO) << reason << ": " << shards << " shards move to other lanes";
}

void MoveLog::Closed(Time now) {
  StatusLog<MoveStatus>::Entry& entry = Last();
  log_.NoteChange();
  entry.status.set_closed_after(SecondsBetween(entry.began_at, now));
}

void MoveLog::Serving(Time now) {
  StatusLog<MoveStatus>::Entry& entry = Last();
  log_.NoteChange();
  entry.status.set_phase("done");
  entry.status.set_serving_after(SecondsBetween(entry.began_at, now));
  LOG(INFO) << entry.status.reason() << ": " << entry.status.shards() << " shards with "
            << entry.status.rows() << " rows have moved within "
            << FormatSeconds(entry.status.serving_after()) << "; lanes stood still for "
            << FormatSeconds(entry.status.serving_after() - entry.status.closed_after());
}

void MoveLog::GivenUp(const std::string& why) {
  StatusLog<MoveStatus>::Entry& entry = Last();
  log_.NoteChange();
  entry.status.set_phase("given up: " + why);
  LOG(WARNING) << entry.status.reason() << ": the move is given up: " << why;
}

void MoveLog::Load(const ClusterHistory& history, Time now, int64_t wall_seconds) {
  log_.Load(
      history.moves(), [](const MoveStatus& move) { return move.began_seconds(); }, now,
      wall_seconds);
  for (StatusLog<MoveStatus>::Entry& entry : log_.entries()) {
    const bool is_over =
        entry.status.has_serving_after() || entry.status.phase().starts_with("given up");
    if (!is_over) {
      entry.status.set_phase("left to the next scheduler");
    }
  }
}

}  // namespace antiphon
