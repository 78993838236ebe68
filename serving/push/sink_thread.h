// SinkThread: pushes every new chain to one target, on a thread of its own: a target that is away
// or slow holds up neither the directory nor the other targets.
//
// CatchUp hands over the newest chain and returns; one that was waiting is replaced. After a
// failure the thread tries again, later and later up to kMaxPause. Between versions it asks the
// target now and then whether it still has what it had: a Redis that was killed may come back a
// second younger.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "common/base/thread.h"
#include "serving/push/push_target.h"
#include "serving/push/sink_board.h"
#include "serving/version_sink.h"

namespace antiphon {

// What CatchUp waits for.
enum class SinkPace : uint8_t {
  kBeside,  // for nothing: the thread pushes beside whoever publishes
  kWait,    // for the first round over this chain, whose status it returns
};

class SinkThread final : public VersionSink {
 public:
  static constexpr Duration kMinPause = std::chrono::milliseconds(200);
  static constexpr Duration kMaxPause = std::chrono::seconds(10);
  static constexpr Duration kLookAgain = std::chrono::seconds(5);

  SinkThread(std::unique_ptr<PushTarget> target, Clock& clock, SinkBoard& board,
             SinkPace pace = SinkPace::kBeside);
  // Waits for the push that is under way.
  ~SinkThread() override;
  SinkThread(const SinkThread&) = delete;
  SinkThread& operator=(const SinkThread&) = delete;

  const std::string& name() const override { return target_->name(); }
  Status CatchUp(const VersionChain& chain) override AP_EXCLUDES(mu_);

 private:
  void Run();
  // Waits for a new chain, but no longer than `pause`. Null: the end.
  std::shared_ptr<const VersionChain> WaitForChain(std::optional<Duration> pause) AP_EXCLUDES(mu_);
  void Note(const VersionChain& chain, const std::optional<VersionPosition>& position);
  void NoteFailure(const Status& failure);
  void NoteSuccess();
  void NoteRound(const Status& status) AP_EXCLUDES(mu_);

  const std::unique_ptr<PushTarget> target_;
  Clock& clock_;
  SinkBoard& board_;
  const SinkPace pace_;
  SinkState state_;  // the thread's
  Mutex mu_;
  CondVar changed_;
  std::shared_ptr<const VersionChain> chain_ AP_GUARDED_BY(mu_);
  bool is_new_ AP_GUARDED_BY(mu_) = false;
  bool stops_ AP_GUARDED_BY(mu_) = false;
  std::optional<Status> round_ AP_GUARDED_BY(mu_);  // how the last one went; nothing: not yet
  Thread thread_;                                   // last: it uses the others
};

}  // namespace antiphon
