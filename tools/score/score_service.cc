#include "tools/score/score_service.h"

#include <algorithm>
#include <sstream>
#include <utility>

#include <nlohmann/json.hpp>

#include "tools/score/metric_lines.h"
#include "tools/score/serving_status.h"

namespace antiphon {
namespace {

using nlohmann::json;

// The text of a field, as it would stand in a file.
StatusOr<std::string> TextOf(const json& value) {
  if (value.is_string()) {
    return value.get<std::string>();
  }
  if (value.is_number()) {
    return value.dump();
  }
  if (value.is_null()) {
    return std::string();
  }
  return InvalidArgumentError("it is no text and no number");
}

// The texts of a sample, by input field.
Status ReadSample(const json& sample, const Scorer& scorer, std::vector<std::string>& texts) {
  if (!sample.is_object()) {
    return InvalidArgumentError("expected an object of fields");
  }
  const DataConfig& data = scorer.model().job().data_config();
  for (const uint32_t field : scorer.used_fields()) {
    const std::string& name = data.input_fields(static_cast<int>(field)).input_name();
    const auto found = sample.find(name);
    texts[field].clear();
    if (found != sample.end()) {
      StatusOr<std::string> text = TextOf(*found);
      AP_RETURN_IF_ERROR(text.status().WithContext("field \"" + name + "\""));
      texts[field] = *std::move(text);
    }
  }
  return Status();
}

}  // namespace

StatusOr<std::unique_ptr<ScoreService>> ScoreService::Create(const LiveModel& model,
                                                             const Gemm& gemm, Clock& clock,
                                                             int threads) {
  std::unique_ptr<ScoreService> service(new ScoreService(model, clock));
  for (int i = 0; i < threads; ++i) {
    auto seat = std::make_unique<Seat>(
        Seat{.reader = LivePointer<ServedModel>::Reader(model.newest()), .scorer = nullptr});
    AP_ASSIGN_OR_RETURN(seat->scorer, HeldScorer::Create(seat->reader.Get(), gemm));
    service->PutBack(std::move(seat));
  }
  return service;
}

std::unique_ptr<ScoreService::Seat> ScoreService::Take() {
  MutexLock lock(mu_);
  while (idle_.empty()) {
    returned_.Wait(mu_);
  }
  std::unique_ptr<Seat> seat = std::move(idle_.back());
  idle_.pop_back();
  return seat;
}

void ScoreService::PutBack(std::unique_ptr<Seat> seat) {
  MutexLock lock(mu_);
  idle_.push_back(std::move(seat));
  returned_.Signal();
}

void ScoreService::Renew() {
  size_t count = 0;
  {
    MutexLock lock(mu_);
    count = idle_.size();
  }
  for (size_t i = 0; i < count; ++i) {
    std::unique_ptr<Seat> seat;
    {
      MutexLock lock(mu_);
      if (idle_.empty()) {
        return;
      }
      seat = std::move(idle_.front());
      idle_.erase(idle_.begin());
    }
    // What cannot be used is not served, so this works; the next request would say why if not.
    seat->scorer->Use(seat->reader.Get()).IgnoreError();
    PutBack(std::move(seat));
  }
}

StatusOr<std::string> ScoreService::Score(std::string_view body) {
  const Time start = clock_.Now();
  std::unique_ptr<Seat> seat = Take();
  size_t samples = 0;
  StatusOr<std::string> answer = ScoreBy(*seat, body, samples);
  if (!answer.ok()) {
    seat->scorer->scorer().Drop();  // rows before the one that failed
  }
  PutBack(std::move(seat));
  MutexLock lock(mu_);
  if (answer.ok()) {
    latency_.Add(SecondsBetween(start, clock_.Now()));
    samples_ += samples;
  } else {
    ++failures_;
  }
  return answer;
}

StatusOr<std::string> ScoreService::ScoreBy(Seat& seat, std::string_view body, size_t& samples) {
  const json request = json::parse(body, nullptr, false);
  if (!request.is_object() || !request.contains("samples") || !request["samples"].is_array()) {
    return InvalidArgumentError("expected JSON like {\"samples\": [{\"field\": \"value\"}]}");
  }
  const json& rows = request["samples"];
  if (rows.size() > kMaxSamples) {
    return InvalidArgumentError(std::to_string(rows.size()) + " samples, expected at most " +
                                std::to_string(kMaxSamples));
  }
  const std::shared_ptr<const ServedModel>& model = seat.reader.Get();
  AP_RETURN_IF_ERROR(seat.scorer->Use(model));
  Scorer& scorer = seat.scorer->scorer();
  std::vector<std::string> texts(
      static_cast<size_t>(model->job().data_config().input_fields_size()));
  std::vector<std::string_view> values(texts.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    const std::string where = "sample " + std::to_string(i);
    AP_RETURN_IF_ERROR(ReadSample(rows[i], scorer, texts).WithContext(where));
    std::ranges::copy(texts, values.begin());
    AP_RETURN_IF_ERROR(scorer.Add(values).WithContext(where));
  }
  samples = rows.size();
  const std::vector<std::vector<float>>& predictions = scorer.Run();
  json answer = {{"model", model->signature().model_name()},
                 {"version", std::to_string(model->signature().version())},
                 {"predictions", json::object()}};
  for (size_t m = 0; m < predictions.size(); ++m) {
    answer["predictions"][scorer.measures()[m]] = predictions[m];
  }
  return answer.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string ScoreService::Health() const {
  return ServingHealth(model_.Report(), clock_.WallMs());
}

std::string ScoreService::Metrics() {
  std::ostringstream out;
  {
    MutexLock lock(mu_);
    WriteMetricHead(out, "antiphon_score_seconds", "summary",
                    "from a request's body to its answer");
    for (const double q : {0.5, 0.9, 0.99}) {
      out << "antiphon_score_seconds{quantile=\"" << q << "\"} " << latency_.Quantile(q) << "\n";
    }
    out << "antiphon_score_seconds_sum " << latency_.sum_seconds() << "\n"
        << "antiphon_score_seconds_count " << latency_.count() << "\n";
    WriteMetricHead(out, "antiphon_score_samples_total", "counter", "samples that were scored");
    out << "antiphon_score_samples_total " << samples_ << "\n";
    WriteMetricHead(out, "antiphon_score_failures_total", "counter",
                    "requests that could not be answered");
    out << "antiphon_score_failures_total " << failures_ << "\n";
  }
  out << ServingMetrics(model_.Report(), clock_.WallMs());
  return out.str();
}

}  // namespace antiphon
