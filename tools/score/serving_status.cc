#include "tools/score/serving_status.h"

#include <algorithm>
#include <sstream>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "tools/score/metric_lines.h"

namespace antiphon {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kMsPerSecond = 1000;

double Seconds(int64_t ms) {
  return static_cast<double>(ms) / kMsPerSecond;
}

// Without samples its quantiles are null, which is how JSON writes NaN.
Json FreshnessJson(const AgeHistogram& ages) {
  return {{"samples", ages.count()},
          {"p50_seconds", ages.Quantile(0.5) / kMsPerSecond},
          {"p99_seconds", ages.Quantile(0.99) / kMsPerSecond}};
}

void WriteFreshness(std::ostream& out, std::string_view of, const AgeHistogram& ages) {
  for (const char* q : {"0.5", "0.99"}) {
    if (ages.count() > 0) {
      out << "antiphon_serving_freshness_seconds{versions=\"" << of << "\",quantile=\"" << q
          << "\"} " << ages.Quantile(std::stod(q)) / kMsPerSecond << "\n";
    }
  }
  out << "antiphon_serving_freshness_seconds_count{versions=\"" << of << "\"} " << ages.count()
      << "\n";
}

}  // namespace

std::string ServingHealth(const LiveReport& report, int64_t now_ms) {
  Json health = {{"status", report.failing ? "behind" : "ok"},
                 {"model", report.model_name},
                 {"model_id", report.model_id},
                 {"version", std::to_string(report.version)},
                 {"base", std::to_string(report.base)},
                 {"sequence", report.sequence},
                 {"rows", report.rows},
                 {"age_seconds", Seconds(std::max<int64_t>(now_ms - report.cut_ms, 0))},
                 {"freshness",
                  {{"last", FreshnessJson(report.last_freshness)},
                   {"since_start", FreshnessJson(report.freshness)}}},
                 {"versions", report.versions},
                 {"load_failures", report.failures},
                 {"last_error", report.last_error}};
  return health.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string ServingMetrics(const LiveReport& report, int64_t now_ms) {
  std::ostringstream out;
  WriteMetricHead(out, "antiphon_serving_version", "gauge", "of the model that is served");
  out << "antiphon_serving_version " << report.version << "\n";
  WriteMetricHead(out, "antiphon_serving_sequence", "gauge",
                  "steps between the version with all rows and the one that is served");
  out << "antiphon_serving_sequence " << report.sequence << "\n";
  WriteMetricHead(out, "antiphon_serving_rows", "gauge", "of all tables");
  out << "antiphon_serving_rows " << report.rows << "\n";
  WriteMetricHead(out, "antiphon_serving_created_seconds", "gauge", "wall time of its snapshot");
  out << "antiphon_serving_created_seconds " << report.cut_ms / 1000 << "\n";
  WriteMetricHead(out, "antiphon_serving_age_seconds", "gauge", "since its snapshot was taken");
  out << "antiphon_serving_age_seconds " << Seconds(std::max<int64_t>(now_ms - report.cut_ms, 0))
      << "\n";
  WriteMetricHead(out, "antiphon_serving_versions_total", "counter", "served since the start");
  out << "antiphon_serving_versions_total " << report.versions << "\n";
  WriteMetricHead(out, "antiphon_serving_load_failures_total", "counter",
                  "attempts to serve something newer that failed");
  for (const char* fault :
       {"wrong_model", "duplicate", "stale", "missing", "out_of_order", "torn", "other"}) {
    const auto found = report.failures.find(fault);
    out << "antiphon_serving_load_failures_total{fault=\"" << fault << "\"} "
        << (found == report.failures.end() ? 0 : found->second) << "\n";
  }
  WriteMetricHead(out, "antiphon_serving_freshness_seconds", "summary",
                  "from a sample's event to when a score shows it");
  WriteFreshness(out, "last", report.last_freshness);
  WriteFreshness(out, "since_start", report.freshness);
  return out.str();
}

}  // namespace antiphon
