#include "tools/served/served_page.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <limits>
#include <optional>
#include <sys/stat.h>
#include <system_error>
#include <utility>

#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "common/base/text_table.h"
#include "serving/freshness.h"
#include "serving/version_chain.h"
#include "serving/version_directory.h"
// Last: it brings resolv.h, whose macros break Eigen.
#include <httplib.h>

namespace antiphon {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kMsPerSecond = 1000;

// What the library gives for what is missing or of another type would be an exception.
const Json& FieldOf(const Json& object, const char* name) {
  static const Json none;
  const auto found = object.find(name);
  return found == object.end() ? none : *found;
}
std::string TextOf(const Json& value) {
  return value.is_string() ? value.get<std::string>() : "";
}
uint64_t CountOf(const Json& value) {
  return value.is_number_unsigned() ? value.get<uint64_t>() : 0;
}
double NumberOf(const Json& value) {
  return value.is_number() ? value.get<double>() : std::numeric_limits<double>::quiet_NaN();
}

StatusOr<ServedLine> AskServer(const std::string& server, Duration timeout) {
  const size_t colon = server.rfind(':');
  const std::optional<uint64_t> port =
      colon == std::string::npos ? std::nullopt : ParseUint(server.substr(colon + 1));
  if (!port.has_value() || *port == 0 || *port > 65535 || colon == 0) {
    return InvalidArgumentError("\"" + server +
                                "\" is no address, expected HOST:PORT such as 127.0.0.1:8080");
  }
  httplib::Client client(server.substr(0, colon), static_cast<int>(*port));
  client.set_connection_timeout(timeout);
  client.set_read_timeout(timeout);
  const httplib::Result answer = client.Get("/healthz");
  if (!answer) {
    return UnavailableError(server + " does not answer: " + httplib::to_string(answer.error()));
  }
  if (answer->status != 200) {
    return UnavailableError(server + " answers /healthz with " + std::to_string(answer->status) +
                            ": is it ps_score?");
  }
  return LineOfHealth(server, answer->body);
}

// When a file was written last.
StatusOr<int64_t> WrittenMs(const std::string& path) {
  struct stat info = {};
  if (stat(path.c_str(), &info) != 0) {
    const std::string message =
        "cannot look at " + path + ": " + std::generic_category().message(errno);
    return errno == ENOENT ? NotFoundError(message) : UnavailableError(message);
  }
  return int64_t{info.st_mtim.tv_sec} * 1000 + info.st_mtim.tv_nsec / 1'000'000;
}

StatusOr<ServedLine> LookAt(FileSystem& fs, const std::string& directory, int64_t now_ms) {
  AP_ASSIGN_OR_RETURN(const int64_t current_ms, WrittenMs(directory + "/" + kCurrentFile));
  return LineOfDirectory(fs, directory, current_ms, now_ms);
}

Json JsonOf(const ServedLine& line) {
  Json entry = {{"where", line.where}};
  if (line.reached) {
    entry.update(Json{{"model", line.model},
                      {"version", line.version},
                      {"base", line.base},
                      {"sequence", line.sequence},
                      {"rows", line.rows},
                      {"age_seconds", line.age_seconds},
                      {"freshness_p50_seconds", line.freshness_p50_seconds},
                      {"freshness_p99_seconds", line.freshness_p99_seconds},
                      {"load_failures", line.failures}});
  }
  entry["error"] = line.error;
  return entry;
}

std::vector<std::string> CellsOf(const ServedLine& line) {
  if (!line.reached) {
    return {line.where, "", "", "", "", "", "", "", "", ""};
  }
  return {line.where,
          line.model,
          line.version,
          line.base,
          std::to_string(line.sequence),
          FormatCount(static_cast<double>(line.rows)),
          FormatFixed(line.age_seconds, 1),
          FormatFixed(line.freshness_p50_seconds, 1),
          FormatFixed(line.freshness_p99_seconds, 1),
          std::to_string(line.failures)};
}

}  // namespace

StatusOr<ServedLine> LineOfHealth(const std::string& server, const std::string& health) {
  const Json json = Json::parse(health, nullptr, false);
  if (!json.is_object() || !json.contains("freshness") || !json.contains("sequence")) {
    return DataLossError(server +
                         ": its /healthz is not that of ps_score: " + health.substr(0, 200));
  }
  ServedLine line;
  line.where = server;
  line.model = TextOf(FieldOf(json, "model"));
  line.version = TextOf(FieldOf(json, "version"));
  line.base = TextOf(FieldOf(json, "base"));
  line.sequence = CountOf(FieldOf(json, "sequence"));
  line.rows = CountOf(FieldOf(json, "rows"));
  line.age_seconds = NumberOf(FieldOf(json, "age_seconds"));
  const Json& freshness = FieldOf(FieldOf(json, "freshness"), "since_start");
  line.freshness_p50_seconds = NumberOf(FieldOf(freshness, "p50_seconds"));
  line.freshness_p99_seconds = NumberOf(FieldOf(freshness, "p99_seconds"));
  for (const Json& count : FieldOf(json, "load_failures")) {
    line.failures += CountOf(count);
  }
  if (TextOf(FieldOf(json, "status")) != "ok") {
    line.error = TextOf(FieldOf(json, "last_error"));
  }
  return line;
}

StatusOr<ServedLine> LineOfDirectory(FileSystem& fs, const std::string& directory,
                                     int64_t current_ms, int64_t now_ms) {
  AP_ASSIGN_OR_RETURN(const VersionChain chain, ReadCurrentChain(fs, directory));
  const Signature& last = chain.back().signature;
  AP_ASSIGN_OR_RETURN(const AgeHistogram ages, FreshnessOf(last, current_ms));
  ServedLine line;
  line.where = directory;
  line.model = last.model_name();
  line.version = std::to_string(last.version());
  line.base = std::to_string(BaseOf(last));
  line.sequence = SequenceOf(last);
  for (const ServedTable& table : chain.front().signature.tables()) {
    line.rows += table.rows();
  }
  line.age_seconds = static_cast<double>(std::max<int64_t>(now_ms - CutMs(last), 0)) / kMsPerSecond;
  line.freshness_p50_seconds = ages.Quantile(0.5) / kMsPerSecond;
  line.freshness_p99_seconds = ages.Quantile(0.99) / kMsPerSecond;
  return line;
}

void WriteServedPage(const std::vector<ServedLine>& lines, OutputFormat format, std::ostream& out) {
  if (format == OutputFormat::kJson) {
    Json json = {{"schema", 1}, {"served", Json::array()}};
    for (const ServedLine& line : lines) {
      json["served"].push_back(JsonOf(line));
    }
    out << json.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
    return;
  }
  TextTable table({"WHERE", "MODEL", "VERSION", "BASE", "STEPS", "ROWS", "AGE s", "FRESH p50 s",
                   "FRESH p99 s", "FAILURES"},
                  2);
  for (const ServedLine& line : lines) {
    table.AddRow(CellsOf(line));
  }
  out << table.ToString();
  for (const ServedLine& line : lines) {
    if (!line.error.empty()) {
      out << line.where << ": " << line.error << "\n";
    }
  }
}

CtlExit ShowServed(const ServedOptions& options, FileSystem& fs, Clock& clock, std::ostream& out) {
  std::vector<ServedLine> lines;
  const auto add = [&lines](const std::string& where, StatusOr<ServedLine> line) {
    if (line.ok()) {
      lines.push_back(*std::move(line));
    } else {
      lines.push_back({.where = where, .error = line.status().message(), .reached = false});
    }
  };
  for (const std::string& server : options.servers) {
    add(server, AskServer(server, options.timeout));
  }
  for (const std::string& directory : options.directories) {
    add(directory, LookAt(fs, directory, clock.WallMs()));
  }
  WriteServedPage(lines, options.format, out);
  if (std::ranges::none_of(lines, &ServedLine::reached)) {
    return CtlExit::kUnreachable;
  }
  const bool all_well = std::ranges::all_of(lines, &std::string::empty, &ServedLine::error);
  return all_well ? CtlExit::kHealthy : CtlExit::kDegraded;
}

}  // namespace antiphon
