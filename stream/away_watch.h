// AwayWatch: how long a broker has been away: a line in the log every 5 s, and an error once it has
// been too long. Owned by one thread.
#pragma once

#include <optional>
#include <string>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "stream/sample_source.h"

namespace antiphon {

class AwayWatch {
 public:
  // `who` stands in the log and in the error: "Kafka at host:9092".
  AwayWatch(Clock& clock, std::string who, Duration allowed)
      : clock_(clock), who_(std::move(who)), allowed_(allowed) {}

  // It has failed to answer. kUnavailable once that has lasted too long.
  Status NoteFailure(const std::string& what);
  void NoteAnswer();

  // Who is away, why, and for how long; nothing while it answers.
  void TellIn(SourceReport& report) const;

 private:
  Clock& clock_;
  const std::string who_;
  const Duration allowed_;
  std::optional<Time> since_;
  std::string what_;  // of the last failure
  Time log_at_{};
};

}  // namespace antiphon
