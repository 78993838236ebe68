#include "serving/export/parity.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/text_table.h"
#include "common/math/gemm.h"
#include "common/math/ranking_metrics.h"
#include "models/checked_job.h"
#include "scoring/frozen_model.h"
#include "scoring/named_rows.h"
#include "scoring/scorer.h"
#include "serving/export/exporter.h"
#include "serving/feature_description.h"
#include "serving/served_model.h"
#include "serving/signature.h"
#include "stream/data_plan.h"

namespace antiphon {
namespace {

constexpr uint32_t kRowsAtOnce = 1024;

// One measure of one version.
struct Comparison {
  uint64_t samples = 0;
  double largest = 0;
  RankingMetrics trained;
  RankingMetrics served;
};

// In probabilities that are exactly 0 or 1 there is no logit left.
float LogitOf(float probability) {
  const double p = std::clamp(double{probability}, 1e-8, 1 - 1e-8);
  return static_cast<float>(std::log(p / (1 - p)));
}

// Reads the samples once and gives every row to two scorers.
class SampleComparison {
 public:
  SampleComparison(Scorer& trained, Scorer& served, NamedRows rows)
      : trained_(trained),
        served_(served),
        rows_(std::move(rows)),
        comparisons_(trained.measures().size()) {}

  StatusOr<std::vector<Comparison>> Run() {
    const DataConfig& data = trained_.model().job().data_config();
    std::vector<std::string_view> values(static_cast<size_t>(data.input_fields_size()));
    while (true) {
      AP_ASSIGN_OR_RETURN(const bool is_there, rows_.Next());
      if (!is_there) {
        break;
      }
      for (Scorer* scorer : {&trained_, &served_}) {
        // A scorer may change the texts to the fields' defaults.
        AP_RETURN_IF_ERROR(Fill(data, values));
        const Status added = scorer->Add(values);
        if (!added.ok()) {
          return rows_.Error(added.message());
        }
      }
      if (trained_.rows() >= kRowsAtOnce) {
        Compare();
      }
    }
    Compare();
    if (comparisons_.front().samples == 0) {
      return InvalidArgumentError(rows_.path() + " has no samples");
    }
    return std::move(comparisons_);
  }

 private:
  Status Fill(const DataConfig& data, std::vector<std::string_view>& values) const {
    for (const uint32_t field : trained_.used_fields()) {
      const std::string& name = data.input_fields(static_cast<int>(field)).input_name();
      const int column = rows_.FindColumn(name);
      if (column < 0) {
        return InvalidArgumentError(rows_.path() + ": there is no column \"" + name + "\"");
      }
      values[field] = rows_.values()[static_cast<size_t>(column)];
    }
    return Status();
  }

  void Compare() {
    const uint32_t rows = trained_.rows();
    if (rows == 0) {
      return;
    }
    const std::vector<std::vector<float>>& a = trained_.Run();
    const std::vector<std::vector<float>>& b = served_.Run();
    for (size_t m = 0; m < comparisons_.size(); ++m) {
      Comparison& comparison = comparisons_[m];
      comparison.samples += rows;
      const bool is_probability = trained_.targets().loss(m).type == TaskTower::CLASSIFICATION;
      for (uint32_t r = 0; r < rows; ++r) {
        const double difference = std::abs(double{a[m][r]} - double{b[m][r]});
        // So that what is no number does not pass for equal.
        comparison.largest = difference <= comparison.largest ? comparison.largest : difference;
        if (is_probability && trained_.targets().weight(m)[r] > 0) {
          const bool positive = trained_.targets().label(m)[r] > 0;
          comparison.trained.Add(LogitOf(a[m][r]), positive);
          comparison.served.Add(LogitOf(b[m][r]), positive);
        }
      }
    }
  }

  Scorer& trained_;
  Scorer& served_;
  NamedRows rows_;
  std::vector<Comparison> comparisons_;  // by measure
};

// Whether the file has everything that labels are made of.
bool HasLabels(const NamedRows& rows, const Job& job) {
  for (const std::string& field : job.data_config().label_fields()) {
    if (rows.FindColumn(field) < 0) {
      return false;
    }
  }
  return true;
}

class ParityCheck {
 public:
  ParityCheck(FileSystem& fs, const ParityOptions& options, std::ostream& out)
      : fs_(fs),
        options_(options),
        out_(out),
        gemm_(Gemm::Create(GemmBackend::kAuto)),
        table_({"PRECISION", "TASK", "SAMPLES", "LARGEST DIFFERENCE", "AUC TRAINED", "AUC SERVED",
                "AUC COST"},
               2) {}

  Status Run() {
    AP_ASSIGN_OR_RETURN(trained_, FrozenModel::Load(fs_, options_.snapshot));
    if (!options_.job.empty()) {
      AP_RETURN_IF_ERROR(CheckJob());
    }
    if (!options_.version.empty()) {
      AP_RETURN_IF_ERROR(CheckVersion(options_.version));
    } else {
      AP_RETURN_IF_ERROR(CheckAllPrecisions());
    }
    out_ << table_.ToString();
    return verdict_;
  }

 private:
  // Fitted numbers and vocabularies are those of training; what the job gives itself, and a
  // vocab_file, are the file's.
  Status CheckJob() const {
    AP_ASSIGN_OR_RETURN(const JobFile file, LoadCheckedJob(fs_, options_.job, {}));
    std::vector<FeatureStatistics> statistics;
    for (const FeatureConfig& feature : file.job.feature_config().features()) {
      FeatureStatistics& one = statistics.emplace_back();
      for (const FeatureStatistics& fitted : trained_->plan().features()) {
        if (fitted.feature_name() == feature.feature_name()) {
          one = fitted;
        }
      }
      if (feature.has_vocab_file()) {
        one.clear_vocabulary();
      }
    }
    AP_RETURN_IF_ERROR(ReadVocabularyFiles(file.job, file.folder, fs_, statistics));
    TrainingPlan plan;
    plan.mutable_features()->Add(statistics.begin(), statistics.end());
    AP_ASSIGN_OR_RETURN(const std::vector<ServedFeature> own, DescribeFeatures(file.job, plan));
    AP_ASSIGN_OR_RETURN(const std::vector<ServedFeature> trained,
                        DescribeFeatures(trained_->job(), trained_->plan()));
    return CheckSameTransforms(trained, own).WithContext(options_.job);
  }

  Status CheckAllPrecisions() {
    for (const RowPrecision precision :
         {RowPrecision::kFp32, RowPrecision::kFp16, RowPrecision::kInt8}) {
      const std::string folder =
          trained_->folder() + ".parity." + std::string(PrecisionName(precision));
      RemoveVersion(folder).IgnoreError();  // of a check that was killed
      AP_RETURN_IF_ERROR(
          ExportModel(fs_, *trained_, {.out = folder, .precision = precision}).status());
      const Status checked = CheckVersion(folder);
      AP_RETURN_IF_ERROR(RemoveVersion(folder));
      AP_RETURN_IF_ERROR(checked);
    }
    return Status();
  }

  Status RemoveVersion(const std::string& folder) {
    for (const std::string& inner : {folder + "/" + kEmbeddingFolder, folder}) {
      AP_ASSIGN_OR_RETURN(const std::vector<std::string> names, fs_.List(inner));
      for (const std::string& name : names) {
        AP_RETURN_IF_ERROR(fs_.Remove(inner + "/" + name));
      }
    }
    return fs_.Remove(folder);
  }

  Status CheckVersion(const std::string& folder) {
    AP_ASSIGN_OR_RETURN(const std::unique_ptr<ServedModel> served, ServedModel::Open(folder));
    const Signature& signature = served->signature();
    AP_ASSIGN_OR_RETURN(const std::vector<ServedFeature> trained,
                        DescribeFeatures(trained_->job(), trained_->plan()));
    AP_RETURN_IF_ERROR(
        CheckSameTransforms(trained, {signature.features().begin(), signature.features().end()})
            .WithContext(folder));
    AP_ASSIGN_OR_RETURN(NamedRows rows,
                        NamedRows::Open(fs_, options_.samples, trained_->job().data_config(),
                                        NamedRows::Header::kOfJob));
    const bool has_labels = HasLabels(rows, trained_->job());
    const Scorer::Labels labels = has_labels ? Scorer::Labels::kRead : Scorer::Labels::kIgnore;
    AP_ASSIGN_OR_RETURN(const std::unique_ptr<Scorer> by_trainer,
                        Scorer::Create(*trained_, gemm_, 1, labels));
    AP_ASSIGN_OR_RETURN(const std::unique_ptr<Scorer> by_version,
                        Scorer::Create(*served, gemm_, 1, labels));
    AP_ASSIGN_OR_RETURN(const std::vector<Comparison> comparisons,
                        SampleComparison(*by_trainer, *by_version, std::move(rows)).Run());
    Report(signature, by_trainer->measures(), comparisons);
    return Status();
  }

  void Report(const Signature& signature, const std::vector<std::string>& measures,
              const std::vector<Comparison>& comparisons) {
    const auto precision = signature.tables_size() == 0
                               ? RowPrecision::kFp32
                               : static_cast<RowPrecision>(signature.tables(0).precision());
    for (size_t m = 0; m < measures.size(); ++m) {
      const Comparison& one = comparisons[m];
      const double trained_auc = one.trained.Auc();
      const double served_auc = one.served.Auc();
      table_.AddRow({std::string(PrecisionName(precision)), measures[m],
                     std::to_string(one.samples), Scientific(one.largest),
                     FormatFixed(trained_auc, 6), FormatFixed(served_auc, 6),
                     FormatFixed(trained_auc - served_auc, 6)});
      if (precision == RowPrecision::kFp32 && !(one.largest <= kParityLimit) && verdict_.ok()) {
        verdict_ = FailedPreconditionError("task " + measures[m] + " differs by " +
                                           Scientific(one.largest) + ", expected at most " +
                                           Scientific(kParityLimit) + " with fp32");
      }
    }
  }

  static std::string Scientific(double number) {
    char text[32];
    const int size = std::snprintf(text, sizeof text, "%.1e", number);
    return {text, static_cast<size_t>(size)};
  }

  FileSystem& fs_;
  const ParityOptions& options_;
  std::ostream& out_;
  const Gemm gemm_;
  std::unique_ptr<FrozenModel> trained_;
  TextTable table_;
  Status verdict_;
};

}  // namespace

Status CheckParity(FileSystem& fs, const ParityOptions& options, std::ostream& out) {
  return ParityCheck(fs, options, out).Run();
}

}  // namespace antiphon
