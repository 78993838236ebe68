#include "simulation/comparison.h"

#include <array>
#include <cstdio>

#include <nlohmann/json.hpp>

#include "simulation/task.h"

namespace antiphon {
namespace {

using Json = nlohmann::json;
using Path = Json::json_pointer;

StatusOr<Json> ParseObject(std::string_view text, const char* what) {
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    return InvalidArgumentError(std::string(what) + " is not a JSON object");
  }
  return json;
}

StatusOr<double> NumberAt(const Json& json, const Path& path) {
  if (!json.contains(path) || !json.at(path).is_number()) {
    return InvalidArgumentError("no number at " + path.to_string());
  }
  return json.at(path).get<double>();
}

StatusOr<int64_t> CountAt(const Json& json, const Path& path) {
  if (!json.contains(path) || !json.at(path).is_number_integer()) {
    return InvalidArgumentError("no whole number at " + path.to_string());
  }
  return json.at(path).get<int64_t>();
}

// An AUC, which is null where it is not defined.
StatusOr<std::optional<double>> AucAt(const Json& json, const Path& path) {
  if (json.contains(path) && json.at(path).is_null()) {
    return std::optional<double>();
  }
  AP_ASSIGN_OR_RETURN(const double auc, NumberAt(json, path));
  return std::optional<double>(auc);
}

template <typename T>
StatusOr<T> Within(const char* what, StatusOr<T> value) {
  if (value.ok()) {
    return value;
  }
  return value.status().WithContext(what);
}

// `scores` leads to the task's object, or to that of one scene in it.
Status FillScores(const Json& report, const Json& truth, const Path& scores, ComparisonRow& row) {
  AP_ASSIGN_OR_RETURN(row.eval_samples, Within("truth", CountAt(truth, scores / "samples")));
  AP_ASSIGN_OR_RETURN(row.eval_positives, Within("truth", CountAt(truth, scores / "positives")));
  AP_ASSIGN_OR_RETURN(row.bayes_auc, Within("truth", AucAt(truth, scores / "auc")));
  AP_ASSIGN_OR_RETURN(row.auc, Within("report", AucAt(report, scores / "auc")));
  if (!report.contains(scores / "samples")) {
    return Status();
  }
  AP_ASSIGN_OR_RETURN(const int64_t scored, Within("report", CountAt(report, scores / "samples")));
  if (scored != row.eval_samples) {
    return InvalidArgumentError("report " + (scores / "samples").to_string() + " is " +
                                std::to_string(scored) + ", expected the truth's " +
                                std::to_string(row.eval_samples) +
                                ": the report is of other samples or of only a part of them");
  }
  return Status();
}

std::string TextOf(const std::optional<double>& number) {
  if (!number.has_value()) {
    return "-";
  }
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.4f", *number);
  return text.data();
}

std::string PercentOf(const std::optional<double>& share) {
  if (!share.has_value()) {
    return "-";
  }
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f %%", 100 * *share);
  return text.data();
}

std::string TableLine(const std::array<std::string, 8>& cells) {
  std::array<char, 256> line{};
  std::snprintf(line.data(), line.size(), "%-11s %-10s %13s %12s %10s %8s %10s %8s\n",
                cells[0].c_str(), cells[1].c_str(), cells[2].c_str(), cells[3].c_str(),
                cells[4].c_str(), cells[5].c_str(), cells[6].c_str(), cells[7].c_str());
  return line.data();
}

}  // namespace

std::optional<double> ComparisonRow::Share() const {
  constexpr double kCoin = 0.5;
  if (!auc.has_value() || !bayes_auc.has_value() || *bayes_auc <= kCoin) {
    return std::nullopt;
  }
  return (*auc - kCoin) / (*bayes_auc - kCoin);
}

StatusOr<std::vector<ComparisonRow>> CompareWithTruth(std::string_view report_json,
                                                      std::string_view truth_json) {
  AP_ASSIGN_OR_RETURN(const Json report, ParseObject(report_json, "report"));
  AP_ASSIGN_OR_RETURN(const Json truth, ParseObject(truth_json, "truth"));
  AP_ASSIGN_OR_RETURN(const int64_t all_train,
                      Within("truth", CountAt(truth, Path("/train/samples"))));

  std::vector<ComparisonRow> rows;
  for (const Task task : kTasks) {
    ComparisonRow row;
    row.task = TaskName(task);
    const Path of_task = Path("/eval") / row.task;
    if (!report.contains(of_task)) {
      continue;
    }
    for (const Scene scene : kScenes) {
      row.scene = SceneName(scene);
      const Path train_samples = Path("/train/scenes") / row.scene / "samples";
      AP_ASSIGN_OR_RETURN(row.train_samples, Within("truth", CountAt(truth, train_samples)));
      AP_RETURN_IF_ERROR(FillScores(report, truth, of_task / "scenes" / row.scene, row));
      rows.push_back(row);
    }
    row.scene = kAllScenes;
    row.train_samples = all_train;
    AP_RETURN_IF_ERROR(FillScores(report, truth, of_task, row));
    rows.push_back(row);
  }
  if (rows.empty()) {
    return InvalidArgumentError("report has none of the truth's tasks under /eval");
  }
  return rows;
}

std::string ComparisonTable(const std::vector<ComparisonRow>& rows) {
  std::string table = TableLine(
      {"task", "scene", "train samples", "eval samples", "positives", "AUC", "Bayes AUC", "share"});
  for (const ComparisonRow& row : rows) {
    table += TableLine({row.task, row.scene, std::to_string(row.train_samples),
                        std::to_string(row.eval_samples), std::to_string(row.eval_positives),
                        TextOf(row.auc), TextOf(row.bayes_auc), PercentOf(row.Share())});
  }
  return table;
}

std::vector<std::string> MissedClickShares(const std::vector<ComparisonRow>& rows,
                                           double required_share, int64_t min_train_samples) {
  std::vector<std::string> missed;
  for (const ComparisonRow& row : rows) {
    if (row.task != TaskName(Task::kClick) || row.scene == kAllScenes ||
        row.train_samples <= min_train_samples) {
      continue;
    }
    const std::optional<double> share = row.Share();
    if (!share.has_value() || *share < required_share) {
      missed.push_back("click in scene " + row.scene + " reaches " + PercentOf(share) +
                       " of what is attainable, expected at least " + PercentOf(required_share));
    }
  }
  return missed;
}

}  // namespace antiphon
