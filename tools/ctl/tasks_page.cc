#include "tools/ctl/tasks_page.h"

#include <array>
#include <cstdint>
#include <cstdio>
#include <ctime>

#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "common/base/text_table.h"
#include "tools/ctl/status_json.h"

namespace antiphon {
namespace {

using Json = nlohmann::ordered_json;

std::string UtcText(int64_t seconds) {
  const std::time_t time = seconds;
  std::tm parts{};
  gmtime_r(&time, &parts);
  std::array<char, 32> text{};
  const size_t size = std::strftime(text.data(), text.size(), "%F %T", &parts);
  return {text.data(), size};
}

std::string WindowName(const MetricWindow& window) {
  const std::string name = window.has_begin_seconds() ? UtcText(window.begin_seconds())
                                                      : std::to_string(window.number());
  return window.open() ? name + " (open)" : name;
}

void AddRow(TextTable& table, const std::string& window, const MetricLine& line) {
  table.AddRow({window, line.task(), line.scene().empty() ? "all" : line.scene(),
                FormatFixed(line.samples(), 0), FormatFixed(line.auc(), 4),
                FormatFixed(line.logloss(), 4), FormatFixed(line.ne(), 4),
                FormatFixed(line.pcoc(), 3)});
}

Json LinesJson(const google::protobuf::RepeatedPtrField<MetricLine>& lines) {
  Json array = Json::array();
  for (const MetricLine& line : lines) {
    array.push_back(MetricJson(line));
  }
  return array;
}

}  // namespace

std::string TasksText(const ClusterStatus& status) {
  std::string text;
  for (const std::string& alarm : status.alarms()) {
    text += "alarm: " + alarm + "\n";
  }
  if (status.has_event_lag_seconds()) {
    text += "newest event " + FormatSeconds(status.event_lag_seconds()) +
            " ago  age at training: half under " + FormatSeconds(status.sample_age_p50_seconds()) +
            ", 99 % under " + FormatSeconds(status.sample_age_p99_seconds()) + "\n";
  }
  TextTable table({"WINDOW (UTC)", "TASK", "SCENE", "SAMPLES", "AUC", "LOGLOSS", "NE", "PCOC"}, 3);
  const bool watched = status.fading_size() > 0;
  for (const MetricWindow& window : status.windows()) {
    for (const MetricLine& line : window.metrics()) {
      if (line.scene().empty()) {
        AddRow(table, WindowName(window), line);
      }
    }
  }
  for (const MetricLine& line : watched ? status.fading() : status.metrics()) {
    AddRow(table, watched ? "fading" : line.evaluation() ? "evaluation" : "since the start", line);
  }
  return text + table.ToString();
}

std::string TasksJson(const ClusterStatus& status) {
  Json json = {{"schema", kStatusSchema}, {"alarms", status.alarms()}, {"windows", Json::array()}};
  for (const MetricWindow& window : status.windows()) {
    Json entry;
    if (window.has_begin_seconds()) {
      entry["begin_seconds"] = window.begin_seconds();
    } else {
      entry["number"] = window.number();
    }
    entry["samples"] = window.samples();
    entry["open"] = window.open();
    entry["metrics"] = LinesJson(window.metrics());
    json["windows"].push_back(std::move(entry));
  }
  json["fading"] = LinesJson(status.fading());
  json["metrics"] = LinesJson(status.metrics());
  if (status.has_event_lag_seconds()) {
    json["event_lag_seconds"] = status.event_lag_seconds();
    json["sample_age_seconds"] = {{"p50", status.sample_age_p50_seconds()},
                                  {"p99", status.sample_age_p99_seconds()}};
  }
  return DumpJson(json);
}

}  // namespace antiphon
