#include "stream/away_watch.h"

#include "common/base/logging.h"

namespace antiphon {
namespace {

constexpr Duration kLogEvery = std::chrono::seconds(5);

}  // namespace

Status AwayWatch::NoteFailure(const std::string& what) {
  const Time now = clock_.Now();
  if (!since_.has_value()) {
    since_ = now;
    log_at_ = now;
  }
  what_ = what;
  const auto seconds = std::to_string(static_cast<int64_t>(SecondsBetween(*since_, now)));
  if (now - *since_ > allowed_) {
    return UnavailableError(who_ + " has been away for " + seconds +
                            " s, longer than data_config.stream.away_ms allows: " + what);
  }
  if (now >= log_at_) {
    LOG(WARNING) << who_ << " is away for " << seconds << " s: " << what;
    log_at_ = now + kLogEvery;
  }
  return Status();
}

void AwayWatch::TellIn(SourceReport& report) const {
  if (since_.has_value()) {
    report.away = who_ + ": " + what_;
    report.away_ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(clock_.Now() - *since_).count();
  }
}

void AwayWatch::NoteAnswer() {
  if (since_.has_value()) {
    LOG(INFO) << who_ << " is back after " << SecondsBetween(*since_, clock_.Now()) << " s";
    since_.reset();
  }
}

}  // namespace antiphon
