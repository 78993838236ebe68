#include "scheduler/recovery_log.h"

#include <algorithm>

#include "common/base/logging.h"
#include "common/base/text.h"

namespace antiphon {
namespace {

using Entry = StatusLog<RecoveryStatus>::Entry;

}  // namespace

void RecoveryLog::Lost(const Node& server, Time now, int64_t wall_seconds) {
  const bool is_known = std::ranges::any_of(log_.entries(), [&server](const Entry& entry) {
    return entry.status.server() == server.index && entry.status.lost() == server.death &&
           !entry.status.has_replaced_after() && !entry.status.has_serving_after();
  });
  if (is_known) {
    return;
  }
  Entry& entry = log_.Begin(now);
  log_.NoteChange();
  entry.status.set_server(server.index);
  entry.status.set_lost(server.death);
  entry.status.set_lost_seconds(wall_seconds);
}

void RecoveryLog::Replaced(uint32_t server, Time now) {
  for (Entry& entry : log_.entries()) {
    if (entry.status.server() == server && !entry.status.has_replaced_after()) {
      log_.NoteChange();
      entry.status.set_replaced_after(SecondsBetween(entry.began_at, now));
    }
  }
}

void RecoveryLog::Serving(const std::string& folder, uint64_t replay_samples, Time now) {
  for (Entry& entry : log_.entries()) {
    if (entry.status.has_serving_after()) {
      continue;
    }
    log_.NoteChange();
    entry.status.set_restored_from(folder);
    entry.status.set_serving_after(SecondsBetween(entry.began_at, now));
    entry.status.set_replay_samples(replay_samples);
    LOG(INFO) << "the lanes of server " << entry.status.server() << " serve again after "
              << FormatSeconds(entry.status.serving_after()) << ", "
              << (folder.empty() ? "from the beginning" : "from " + folder) << "; "
              << replay_samples << " samples are to be learned again";
  }
}

void RecoveryLog::Observe(uint64_t replay_samples, Time now) {
  if (replay_samples > 0) {
    return;
  }
  for (Entry& entry : log_.entries()) {
    if (entry.status.has_serving_after() && !entry.status.has_relearned_after()) {
      log_.NoteChange();
      entry.status.set_relearned_after(SecondsBetween(entry.began_at, now));
      LOG(INFO) << "what was lost with server " << entry.status.server()
                << " is learned again after " << FormatSeconds(entry.status.relearned_after());
    }
  }
}

void RecoveryLog::Load(const ClusterHistory& history, Time now, int64_t wall_seconds) {
  log_.Load(
      history.recoveries(), [](const RecoveryStatus& recovery) { return recovery.lost_seconds(); },
      now, wall_seconds);
}

}  // namespace antiphon
