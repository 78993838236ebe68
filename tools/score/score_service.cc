#include "tools/score/score_service.h"

#include <sstream>
#include <utility>

#include <nlohmann/json.hpp>

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

}  // namespace

StatusOr<std::unique_ptr<ScoreService>> ScoreService::Create(const ServedModel& model,
                                                             const Gemm& gemm, Clock& clock,
                                                             int threads) {
  std::unique_ptr<ScoreService> service(new ScoreService(model, clock));
  for (const InputField& field : model.job().data_config().input_fields()) {
    service->fields_.push_back(field.input_name());
  }
  for (int i = 0; i < threads; ++i) {
    AP_ASSIGN_OR_RETURN(std::unique_ptr<Scorer> scorer, Scorer::Create(model, gemm, 1));
    service->PutBack(std::move(scorer));
  }
  return service;
}

std::unique_ptr<Scorer> ScoreService::TakeScorer() {
  MutexLock lock(mu_);
  while (idle_.empty()) {
    returned_.Wait(mu_);
  }
  std::unique_ptr<Scorer> scorer = std::move(idle_.back());
  idle_.pop_back();
  return scorer;
}

void ScoreService::PutBack(std::unique_ptr<Scorer> scorer) {
  MutexLock lock(mu_);
  idle_.push_back(std::move(scorer));
  returned_.Signal();
}

StatusOr<std::string> ScoreService::Score(std::string_view body) {
  const Time start = clock_.Now();
  std::unique_ptr<Scorer> scorer = TakeScorer();
  size_t samples = 0;
  StatusOr<std::string> answer = ScoreBy(*scorer, body, samples);
  if (!answer.ok()) {
    scorer->Drop();  // rows before the one that failed
  }
  PutBack(std::move(scorer));
  MutexLock lock(mu_);
  if (answer.ok()) {
    latency_.Add(SecondsBetween(start, clock_.Now()));
    samples_ += samples;
  } else {
    ++failures_;
  }
  return answer;
}

StatusOr<std::string> ScoreService::ScoreBy(Scorer& scorer, std::string_view body,
                                            size_t& samples) const {
  const json request = json::parse(body, nullptr, false);
  if (!request.is_object() || !request.contains("samples") || !request["samples"].is_array()) {
    return InvalidArgumentError("expected JSON like {\"samples\": [{\"field\": \"value\"}]}");
  }
  const json& rows = request["samples"];
  if (rows.size() > kMaxSamples) {
    return InvalidArgumentError(std::to_string(rows.size()) + " samples, expected at most " +
                                std::to_string(kMaxSamples));
  }
  std::vector<std::string> texts(fields_.size());
  std::vector<std::string_view> values(fields_.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    const std::string where = "sample " + std::to_string(i);
    if (!rows[i].is_object()) {
      return InvalidArgumentError(where + ": expected an object of fields");
    }
    for (const uint32_t field : scorer.used_fields()) {
      const auto found = rows[i].find(fields_[field]);
      texts[field].clear();
      if (found != rows[i].end()) {
        StatusOr<std::string> text = TextOf(*found);
        AP_RETURN_IF_ERROR(text.status().WithContext(where + ": field \"" + fields_[field] + "\""));
        texts[field] = *std::move(text);
      }
      values[field] = texts[field];
    }
    AP_RETURN_IF_ERROR(scorer.Add(values).WithContext(where));
  }
  samples = rows.size();
  const std::vector<std::vector<float>>& predictions = scorer.Run();
  json answer = {{"model", model_.signature().model_name()},
                 {"version", std::to_string(model_.signature().version())},
                 {"predictions", json::object()}};
  for (size_t m = 0; m < predictions.size(); ++m) {
    answer["predictions"][scorer.measures()[m]] = predictions[m];
  }
  return answer.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string ScoreService::Health() const {
  const json health = {{"status", "ok"},
                       {"model", model_.signature().model_name()},
                       {"model_id", model_.signature().model_id()},
                       {"version", std::to_string(model_.signature().version())}};
  return health.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string ScoreService::Metrics() {
  MutexLock lock(mu_);
  std::ostringstream out;
  const auto head = [&out](const std::string& name, const char* type, const char* help) {
    out << "# HELP " << name << " " << help << "\n# TYPE " << name << " " << type << "\n";
  };
  head("antiphon_score_seconds", "summary", "from a request's body to its answer");
  for (const double q : {0.5, 0.9, 0.99}) {
    out << "antiphon_score_seconds{quantile=\"" << q << "\"} " << latency_.Quantile(q) << "\n";
  }
  out << "antiphon_score_seconds_sum " << latency_.sum_seconds() << "\n"
      << "antiphon_score_seconds_count " << latency_.count() << "\n";
  head("antiphon_score_samples_total", "counter", "samples that were scored");
  out << "antiphon_score_samples_total " << samples_ << "\n";
  head("antiphon_score_failures_total", "counter", "requests that could not be answered");
  out << "antiphon_score_failures_total " << failures_ << "\n";
  head("antiphon_serving_version", "gauge", "of the model that is served");
  out << "antiphon_serving_version " << model_.signature().version() << "\n";
  head("antiphon_serving_created_seconds", "gauge", "wall time of its snapshot");
  out << "antiphon_serving_created_seconds " << model_.signature().created_seconds() << "\n";
  return out.str();
}

}  // namespace antiphon
