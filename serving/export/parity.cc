#include "serving/export/parity.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/text.h"
#include "common/base/text_table.h"
#include "common/math/gemm.h"
#include "models/checked_job.h"
#include "scoring/frozen_model.h"
#include "scoring/named_rows.h"
#include "scoring/scorer.h"
#include "serving/export/exporter.h"
#include "serving/export/outside_scorer.h"
#include "serving/export/row_filter.h"
#include "serving/export/sample_comparison.h"
#include "serving/feature_description.h"
#include "serving/served_model.h"
#include "serving/signature.h"
#include "stream/data_plan.h"

namespace antiphon {
namespace {

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
        table_({"PRECISION", "SCORER", "TASK", "SAMPLES", "LARGEST DIFFERENCE", "AUC TRAINED",
                "AUC SERVED", "AUC COST"},
               3) {}

  Status Run() {
    AP_ASSIGN_OR_RETURN(trained_, FrozenModel::Load(fs_, options_.snapshot));
    prefix_ = trained_->folder() + ".parity";
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
      const std::string folder = prefix_ + "." + std::string(PrecisionName(precision));
      RemoveVersion(folder).IgnoreError();  // of a check that was killed
      AP_ASSIGN_OR_RETURN(
          const Signature signature,
          ExportModel(fs_, *trained_,
                      {.out = folder, .precision = precision, .min_score = options_.min_score}));
      if (signature.has_min_score() && precision == RowPrecision::kFp32) {
        out_ << FilterText(*trained_, signature) << "\n";
      }
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
    AP_ASSIGN_OR_RETURN(NamedRows rows, OpenSamples());
    const bool has_labels = HasLabels(rows, trained_->job());
    const Scorer::Labels labels = has_labels ? Scorer::Labels::kRead : Scorer::Labels::kIgnore;
    AP_ASSIGN_OR_RETURN(const std::unique_ptr<Scorer> by_trainer,
                        Scorer::Create(*trained_, gemm_, 1, labels));
    AP_ASSIGN_OR_RETURN(const std::unique_ptr<Scorer> by_version,
                        Scorer::Create(*served, gemm_, 1, labels));
    AP_ASSIGN_OR_RETURN(const std::vector<OutsideScores> outside,
                        ScoreOutside(folder, *by_version));
    AP_ASSIGN_OR_RETURN(const std::vector<std::vector<Comparison>> comparisons,
                        SampleComparison(*by_trainer, *by_version, outside).Run(std::move(rows)));
    Report(signature, "library", by_trainer->measures(), comparisons[0]);
    for (size_t i = 0; i < outside.size(); ++i) {
      Report(signature, outside[i].name, by_trainer->measures(), comparisons[1 + i]);
    }
    return Status();
  }

  StatusOr<NamedRows> OpenSamples() {
    return NamedRows::Open(fs_, options_.samples, trained_->job().data_config(),
                           NamedRows::Header::kOfJob);
  }

  StatusOr<std::vector<OutsideScores>> ScoreOutside(const std::string& version,
                                                    const Scorer& scorer) {
    if (options_.scorers.empty()) {
      return std::vector<OutsideScores>();
    }
    const std::string samples = prefix_ + ".samples.csv";
    AP_ASSIGN_OR_RETURN(NamedRows rows, OpenSamples());
    AP_RETURN_IF_ERROR(WritePlainSamples(fs_, std::move(rows), scorer, samples));
    StatusOr<std::vector<OutsideScores>> outside =
        ScoreOutsideSamples(version, samples, scorer.measures());
    RemoveOutputOf(fs_, prefix_);
    AP_RETURN_IF_ERROR(fs_.Remove(samples));
    return outside;
  }

  StatusOr<std::vector<OutsideScores>> ScoreOutsideSamples(
      const std::string& version, const std::string& samples,
      const std::vector<std::string>& measures) {
    std::vector<OutsideScores> outside;
    for (const std::string& command : options_.scorers) {
      AP_ASSIGN_OR_RETURN(std::vector<std::vector<float>> scores,
                          RunOutsideScorer(fs_,
                                           {.command = command,
                                            .version = version,
                                            .samples = samples,
                                            .prefix = prefix_,
                                            .deadline = options_.scorer_deadline},
                                           measures));
      outside.push_back({.name = ShortName(command), .scores = std::move(scores)});
    }
    return outside;
  }

  // The last word of the command that is no switch, without its folders: score.mjs.
  static std::string ShortName(const std::string& command) {
    std::string_view name = command;
    for (const std::string_view word : Split(command, " ")) {
      if (!word.empty() && !word.starts_with('-')) {
        name = word;
      }
    }
    const size_t slash = name.rfind('/');
    return std::string(slash == std::string_view::npos ? name : name.substr(slash + 1));
  }

  void Report(const Signature& signature, const std::string& scorer,
              const std::vector<std::string>& measures,
              const std::vector<Comparison>& comparisons) {
    const auto precision = signature.tables_size() == 0
                               ? RowPrecision::kFp32
                               : static_cast<RowPrecision>(signature.tables(0).precision());
    for (size_t m = 0; m < measures.size(); ++m) {
      const Comparison& one = comparisons[m];
      const double trained_auc = one.trained.Auc();
      const double served_auc = one.served.Auc();
      table_.AddRow({std::string(PrecisionName(precision)), scorer, measures[m],
                     std::to_string(one.samples), Scientific(one.largest),
                     FormatFixed(trained_auc, 6), FormatFixed(served_auc, 6),
                     FormatFixed(trained_auc - served_auc, 6)});
      // Rows that are left out change what is scored: that is reported, not refused.
      const bool is_exact = precision == RowPrecision::kFp32 && !signature.has_min_score();
      if (is_exact && !(one.largest <= kParityLimit) && verdict_.ok()) {
        verdict_ = FailedPreconditionError(
            "task " + measures[m] + " by " + scorer + " differs by " + Scientific(one.largest) +
            ", expected at most " + Scientific(kParityLimit) + " with fp32");
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
  std::string prefix_;  // of the files that are made and removed again
  TextTable table_;
  Status verdict_;
};

}  // namespace

Status CheckParity(FileSystem& fs, const ParityOptions& options, std::ostream& out) {
  return ParityCheck(fs, options, out).Run();
}

}  // namespace antiphon
