#include "scheduler/recovery_log.h"

#include "common/base/logging.h"
#include "common/base/text.h"

namespace antiphon {

void RecoveryLog::Lost(const Node& server, Time now, int64_t wall_seconds) {
  if (entries_.size() == kMaxEntries) {
    entries_.pop_front();
  }
  Entry& entry = entries_.emplace_back();
  entry.lost_at = now;
  entry.status.set_server(server.index);
  entry.status.set_lost(server.death);
  entry.status.set_lost_seconds(wall_seconds);
}

void RecoveryLog::Replaced(uint32_t server, Time now) {
  for (Entry& entry : entries_) {
    if (entry.status.server() == server && !entry.status.has_replaced_after()) {
      entry.status.set_replaced_after(SecondsBetween(entry.lost_at, now));
    }
  }
}

void RecoveryLog::Serving(const std::string& folder, uint64_t replay_samples, Time now) {
  for (Entry& entry : entries_) {
    if (entry.status.has_serving_after()) {
      continue;
    }
    entry.status.set_restored_from(folder);
    entry.status.set_serving_after(SecondsBetween(entry.lost_at, now));
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
  for (Entry& entry : entries_) {
    if (entry.status.has_serving_after() && !entry.status.has_relearned_after()) {
      entry.status.set_relearned_after(SecondsBetween(entry.lost_at, now));
      LOG(INFO) << "what was lost with server " << entry.status.server()
                << " is learned again after " << FormatSeconds(entry.status.relearned_after());
    }
  }
}

}  // namespace antiphon
