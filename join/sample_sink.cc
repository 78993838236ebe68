#include "join/sample_sink.h"

#include "proto/join_state.pb.h"

namespace antiphon {

Status SampleSink::Stage(const SampleGroup& group, std::vector<StoreChange>& changes) {
  JoinOutbox outbox;
  outbox.set_number(group.number);
  outbox.set_first(group.first);
  for (const std::string& record : group.records) {
    outbox.add_records(record);
  }
  changes.push_back({OutboxKey(), outbox.SerializeAsString()});
  return Status();
}

}  // namespace antiphon
