#include "serving/served_model.h"

#include <algorithm>
#include <utility>

#include "common/base/file_system.h"
#include "common/data/job_text.h"
#include "serving/feature_description.h"
#include "serving/served_state.h"
#include "serving/signature.h"
#include "serving/version_directory.h"
#include "serving/version_files.h"

namespace antiphon {
namespace {

// The file of a table may not change its form along a chain.
Status CheckSameForm(const LayeredTable& table, const EmbTable& step) {
  if (step.dim() != table.dim() || step.header().precision != table.precision()) {
    return FailedPreconditionError("its rows have " + std::to_string(step.dim()) + " weights of " +
                                   std::string(PrecisionName(step.header().precision)) +
                                   ", those of the version that it grows from " +
                                   std::to_string(table.dim()) + " of " +
                                   std::string(PrecisionName(table.precision())));
  }
  return Status();
}

// Whether rows of one plan are those of the other.
bool HasSameTables(const TrainingPlan& a, const TrainingPlan& b) {
  const auto& left = a.schema().tables();
  const auto& right = b.schema().tables();
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [](const TableSpec& x, const TableSpec& y) {
                      return x.name() == y.name() && x.dim() == y.dim();
                    });
}

}  // namespace

StatusOr<std::unique_ptr<ServedModel>> ServedModel::Open(const std::string& folder) {
  PosixFileSystem fs;
  AP_ASSIGN_OR_RETURN(const VersionChain chain, fs.Exists(folder + "/" + kCurrentFile)
                                                    ? ReadCurrentChain(fs, folder)
                                                    : ReadVersionChain(fs, folder));
  return OpenChain(chain);
}

StatusOr<std::unique_ptr<ServedModel>> ServedModel::OpenChain(std::span<const VersionLink> chain) {
  AP_ASSIGN_OR_RETURN(std::unique_ptr<ServedModel> model, OpenDense(chain.back(), nullptr));
  AP_RETURN_IF_ERROR(model->OpenTables(chain.front()));
  for (const VersionLink& step : chain.subspan(1)) {
    AP_RETURN_IF_ERROR(model->ApplyStep(step));
  }
  return model;
}

StatusOr<std::unique_ptr<ServedModel>> ServedModel::Advance(
    std::span<const VersionLink> steps) const {
  const VersionLink* held = &link_;
  for (const VersionLink& step : steps) {
    AP_RETURN_IF_ERROR(CheckFollows(*held, step));
    held = &step;
  }
  AP_ASSIGN_OR_RETURN(std::unique_ptr<ServedModel> model, OpenDense(steps.back(), this));
  if (!HasSameTables(plan(), model->plan())) {
    return FailedPreconditionError(steps.back().folder + ": its tables are not those of version " +
                                   std::to_string(signature().version()) + ", from which it grows");
  }
  model->tables_ = tables_;
  for (const VersionLink& step : steps) {
    AP_RETURN_IF_ERROR(model->ApplyStep(step));
  }
  return model;
}

StatusOr<std::unique_ptr<ServedModel>> ServedModel::OpenDense(const VersionLink& link,
                                                              const ServedModel* before) {
  std::unique_ptr<ServedModel> model(new ServedModel(link));
  AP_RETURN_IF_ERROR(MapVersionFile(link, kGraphFile).status());
  AP_RETURN_IF_ERROR(model->ReadState(before));
  AP_RETURN_IF_ERROR(model->CheckTransforms().WithContext(link.folder + "/" + kSignatureFile));
  return model;
}

Status ServedModel::ReadState(const ServedModel* before) {
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<MappedFile> file, MapVersionFile(link_, kStateFile));
  const std::string path = folder() + "/" + kStateFile;
  StatusOr<ServedState> state = DecodeServedState(file->bytes());
  AP_RETURN_IF_ERROR(state.status().WithContext(path));
  state_ = *std::move(state);
  TrainingPlan plan = std::move(*state_.mutable_plan());
  state_.clear_plan();
  if (before != nullptr && plan.SerializeAsString() == before->plan().SerializeAsString()) {
    trained_ = before->trained_;
    return Status();
  }
  AP_ASSIGN_OR_RETURN(ParsedJob parsed, ParseJobText(path + ", the job in it", plan.job()));
  trained_ = std::make_shared<const Trained>(Trained{std::move(parsed.job), std::move(plan)});
  return Status();
}

// What other languages are told must be what this library does.
Status ServedModel::CheckTransforms() const {
  AP_ASSIGN_OR_RETURN(const std::vector<ServedFeature> own, DescribeFeatures(job(), plan()));
  const std::vector<ServedFeature> said(signature().features().begin(),
                                        signature().features().end());
  return CheckSameTransforms(own, said);
}

Status ServedModel::OpenTables(const VersionLink& base) {
  for (const TableSpec& spec : plan().schema().tables()) {
    AP_ASSIGN_OR_RETURN(std::shared_ptr<const EmbTable> rows, OpenVersionTable(base, spec));
    tables_.emplace_back(std::move(rows));
  }
  return Status();
}

Status ServedModel::ApplyStep(const VersionLink& step) {
  for (size_t i = 0; i < tables_.size(); ++i) {
    const TableSpec& spec = plan().schema().tables(static_cast<int>(i));
    AP_ASSIGN_OR_RETURN(const std::shared_ptr<const EmbTable> changed,
                        OpenVersionTable(step, spec));
    AP_RETURN_IF_ERROR(CheckSameForm(tables_[i], *changed)
                           .WithContext(step.folder + ": table \"" + spec.name() + "\""));
    if (changed->rows() > 0 || !changed->tombstones().empty()) {
      tables_[i] = tables_[i].After({.keys = changed->keys(),
                                     .rows = changed->row_bytes(0),
                                     .removed = changed->tombstones()});
    }
  }
  return Status();
}

std::span<const float> ServedModel::block(BlockId id) const {
  const auto& values = state_.blocks(static_cast<int>(id)).values();
  return {values.data(), static_cast<size_t>(values.size())};
}

uint64_t ServedModel::rows() const {
  uint64_t rows = 0;
  for (const LayeredTable& table : tables_) {
    rows += table.rows();
  }
  return rows;
}

}  // namespace antiphon
