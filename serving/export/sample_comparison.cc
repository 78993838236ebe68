#include "serving/export/sample_comparison.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <span>
#include <utility>

#include "scoring/csv_text.h"

namespace antiphon {
namespace {

constexpr uint32_t kRowsAtOnce = 1024;
constexpr size_t kBytesAtOnce = 1 << 20;

// In probabilities that are exactly 0 or 1 there is no logit left.
float LogitOf(float probability) {
  const double p = std::clamp(double{probability}, 1e-8, 1 - 1e-8);
  return static_cast<float>(std::log(p / (1 - p)));
}

}  // namespace

void Comparison::Add(float by_trainer, float by_version) {
  ++samples;
  const double difference = std::abs(double{by_trainer} - double{by_version});
  // So that what is no number does not pass for equal.
  largest = difference <= largest ? largest : difference;
}

void Comparison::AddLabel(float by_trainer, float by_version, bool positive) {
  trained.Add(LogitOf(by_trainer), positive);
  served.Add(LogitOf(by_version), positive);
}

Status FillValues(const NamedRows& rows, const Scorer& scorer,
                  std::vector<std::string_view>& values) {
  const DataConfig& data = scorer.model().job().data_config();
  for (const uint32_t field : scorer.used_fields()) {
    const std::string& name = data.input_fields(static_cast<int>(field)).input_name();
    const int column = rows.FindColumn(name);
    if (column < 0) {
      return InvalidArgumentError(rows.path() + ": there is no column \"" + name + "\"");
    }
    values[field] = rows.values()[static_cast<size_t>(column)];
  }
  return Status();
}

StatusOr<std::vector<std::vector<Comparison>>> SampleComparison::Run(NamedRows rows) {
  comparisons_.assign(1 + outside_.size(), std::vector<Comparison>(trained_.measures().size()));
  samples_ = 0;
  const int fields = trained_.model().job().data_config().input_fields_size();
  std::vector<std::string_view> values(static_cast<size_t>(fields));
  while (true) {
    AP_ASSIGN_OR_RETURN(const bool is_there, rows.Next());
    if (!is_there) {
      break;
    }
    for (Scorer* scorer : {&trained_, &served_}) {
      // A scorer may change the texts to the fields' defaults.
      AP_RETURN_IF_ERROR(FillValues(rows, *scorer, values));
      const Status added = scorer->Add(values);
      if (!added.ok()) {
        return rows.Error(added.message());
      }
    }
    if (trained_.rows() >= kRowsAtOnce) {
      Compare();
    }
  }
  Compare();
  if (samples_ == 0) {
    return InvalidArgumentError(rows.path() + " has no samples");
  }
  AP_RETURN_IF_ERROR(CheckOutside());
  return std::move(comparisons_);
}

void SampleComparison::Compare() {
  rows_ = trained_.rows();
  if (rows_ == 0) {
    return;
  }
  by_trainer_ = &trained_.Run();
  CompareWith(served_.Run(), 0, comparisons_[0]);
  for (size_t i = 0; i < outside_.size(); ++i) {
    CompareWith(outside_[i].scores, samples_, comparisons_[1 + i]);
  }
  samples_ += rows_;
}

// The rows have the scores from `first` on.
void SampleComparison::CompareWith(const std::vector<std::vector<float>>& scores, size_t first,
                                   std::vector<Comparison>& comparisons) {
  const TaskTargets& targets = trained_.targets();
  for (size_t m = 0; m < comparisons.size(); ++m) {
    const bool is_probability = targets.loss(m).type == TaskTower::CLASSIFICATION;
    const size_t scored = scores[m].size() > first ? scores[m].size() - first : 0;
    for (size_t r = 0; r < std::min<size_t>(rows_, scored); ++r) {
      const float by_trainer = (*by_trainer_)[m][r];
      const float by_version = scores[m][first + r];
      comparisons[m].Add(by_trainer, by_version);
      if (is_probability && targets.weight(m)[r] > 0) {
        comparisons[m].AddLabel(by_trainer, by_version, targets.label(m)[r] > 0);
      }
    }
  }
}

Status SampleComparison::CheckOutside() const {
  for (const OutsideScores& outside : outside_) {
    if (outside.scores.front().size() != samples_) {
      return FailedPreconditionError("scorer \"" + outside.name + "\" printed " +
                                     std::to_string(outside.scores.front().size()) +
                                     " lines of scores for " + std::to_string(samples_) +
                                     " samples");
    }
  }
  return Status();
}

Status WritePlainSamples(FileSystem& fs, NamedRows rows, const Scorer& scorer,
                         const std::string& path) {
  const DataConfig& data = scorer.model().job().data_config();
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<WritableFile> file, fs.Create(path));
  std::string lines;
  for (const uint32_t field : scorer.used_fields()) {
    AppendCsvField(data.input_fields(static_cast<int>(field)).input_name(), lines);
    lines.push_back(',');
  }
  lines.back() = '\n';
  std::vector<std::string_view> values(static_cast<size_t>(data.input_fields_size()));
  bool is_there = true;
  while (is_there) {
    AP_ASSIGN_OR_RETURN(is_there, rows.Next());
    if (is_there) {
      AP_RETURN_IF_ERROR(FillValues(rows, scorer, values));
      for (const uint32_t field : scorer.used_fields()) {
        AppendCsvField(values[field], lines);
        lines.push_back(',');
      }
      lines.back() = '\n';
    }
    if (!is_there || lines.size() >= kBytesAtOnce) {
      AP_RETURN_IF_ERROR(file->Append(std::as_bytes(std::span(lines))));
      lines.clear();
    }
  }
  return file->Close();
}

}  // namespace antiphon
