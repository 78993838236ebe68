// ScoreService: what ps_score answers, request by request, without a socket.
//
// POST /score takes {"samples": [{"field": value, ...}, ...]}, values being texts or numbers, and
// gives
// {"model": ..., "version": ..., "predictions": {"task": [...], ...}}, predictions in the order of
// the samples. An input field that a sample lacks counts as empty. A request is scored by the model
// that is the newest when its turn comes, all of it.
//
// Guarded: any thread may call it; there are as many scorers as threads may score at once.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "common/base/status.h"
#include "scoring/held_scorer.h"
#include "serving/live_model.h"
#include "tools/score/latency_histogram.h"

namespace antiphon {

class ScoreService {
 public:
  // What is given outlives the service.
  static StatusOr<std::unique_ptr<ScoreService>> Create(const LiveModel& model, const Gemm& gemm,
                                                        Clock& clock, int threads);

  // The answer as JSON. kInvalidArgument: no such JSON, or more samples than kMaxSamples;
  // kDataLoss: a sample that cannot be scored, the message says which and why.
  StatusOr<std::string> Score(std::string_view body) AP_EXCLUDES(mu_);

  // Has scorers that have nothing to do take the newest model, so that no request pays for that and
  // the model before can go.
  void Renew() AP_EXCLUDES(mu_);

  // Which model and version it serves, how old it is, and what went wrong, as JSON.
  std::string Health() const;
  // In Prometheus' text format.
  std::string Metrics() AP_EXCLUDES(mu_);

  // Of one request.
  static constexpr size_t kMaxSamples = 10000;

 private:
  // A scorer, and where it learns of newer models.
  struct Seat {
    LivePointer<ServedModel>::Reader reader;
    std::unique_ptr<HeldScorer> scorer;
  };

  ScoreService(const LiveModel& model, Clock& clock) : model_(model), clock_(clock) {}

  std::unique_ptr<Seat> Take() AP_EXCLUDES(mu_);
  void PutBack(std::unique_ptr<Seat> seat) AP_EXCLUDES(mu_);
  static StatusOr<std::string> ScoreBy(Seat& seat, std::string_view body, size_t& samples);

  const LiveModel& model_;
  Clock& clock_;
  Mutex mu_;
  CondVar returned_;
  std::vector<std::unique_ptr<Seat>> idle_ AP_GUARDED_BY(mu_);
  LatencyHistogram latency_ AP_GUARDED_BY(mu_);  // of requests that were answered
  uint64_t samples_ AP_GUARDED_BY(mu_) = 0;
  uint64_t failures_ AP_GUARDED_BY(mu_) = 0;
};

}  // namespace antiphon
