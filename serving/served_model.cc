#include "serving/served_model.h"

#include <algorithm>
#include <utility>

#include "common/base/crc32c.h"
#include "common/data/job_text.h"
#include "serving/feature_description.h"
#include "serving/served_state.h"
#include "serving/signature.h"

namespace antiphon {

StatusOr<std::unique_ptr<ServedModel>> ServedModel::Open(const std::string& folder) {
  std::unique_ptr<ServedModel> model(new ServedModel(folder));
  const std::string path = folder + "/" + kSignatureFile;
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<MappedFile> file, MappedFile::Open(path));
  const std::span<const std::byte> bytes = file->bytes();
  StatusOr<Signature> signature =
      ParseSignature({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  AP_RETURN_IF_ERROR(signature.status().WithContext(path));
  model->signature_ = *std::move(signature);
  if (model->signature_.has_step()) {
    return FailedPreconditionError(
        folder + ": it has only what changed since version " +
        std::to_string(model->signature_.step().predecessor()) +
        "; open a version with all rows, of which there is one in each chain");
  }
  AP_RETURN_IF_ERROR(model->MapChecked(kGraphFile).status());
  AP_RETURN_IF_ERROR(model->ReadState());
  AP_RETURN_IF_ERROR(model->CheckTransforms().WithContext(path));
  AP_RETURN_IF_ERROR(model->OpenTables());
  return model;
}

StatusOr<std::unique_ptr<MappedFile>> ServedModel::MapChecked(const std::string& name) const {
  const std::string path = folder_ + "/" + name;
  const ServedFile* said = FindFile(signature_, name);
  if (said == nullptr) {
    return DataLossError(folder_ + ": the signature does not name " + name);
  }
  AP_ASSIGN_OR_RETURN(std::unique_ptr<MappedFile> file, MappedFile::Open(path));
  if (file->bytes().size() != said->bytes()) {
    return DataLossError(path + ": it has " + std::to_string(file->bytes().size()) +
                         " bytes, the signature says " + std::to_string(said->bytes()));
  }
  if (Crc32c(file->bytes()) != said->crc32c()) {
    return DataLossError(path + ": its checksum is not the one of the signature");
  }
  return file;
}

Status ServedModel::ReadState() {
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<MappedFile> file, MapChecked(kStateFile));
  const std::string path = folder_ + "/" + kStateFile;
  StatusOr<ServedState> state = DecodeServedState(file->bytes());
  AP_RETURN_IF_ERROR(state.status().WithContext(path));
  state_ = *std::move(state);
  AP_ASSIGN_OR_RETURN(ParsedJob parsed, ParseJobText(path + ", the job in it", plan().job()));
  job_ = std::move(parsed.job);
  return Status();
}

// What other languages are told must be what this library does.
Status ServedModel::CheckTransforms() const {
  AP_ASSIGN_OR_RETURN(const std::vector<ServedFeature> own, DescribeFeatures(job_, plan()));
  const std::vector<ServedFeature> said(signature_.features().begin(), signature_.features().end());
  return CheckSameTransforms(own, said);
}

Status ServedModel::OpenTables() {
  for (const TableSpec& spec : plan().schema().tables()) {
    const auto described = std::ranges::find(signature_.tables(), spec.name(), &ServedTable::name);
    if (described == signature_.tables().end()) {
      return DataLossError(folder_ + ": the signature lacks table \"" + spec.name() + "\"");
    }
    AP_ASSIGN_OR_RETURN(std::unique_ptr<MappedFile> file, MapChecked(described->file()));
    const std::string path = folder_ + "/" + described->file();
    StatusOr<EmbTable> rows = EmbTable::Open(file->bytes());
    AP_RETURN_IF_ERROR(rows.status().WithContext(path));
    AP_RETURN_IF_ERROR(CheckTable(*described, spec, rows->header()).WithContext(path));
    tables_.push_back({std::move(file), *std::move(rows)});
  }
  return Status();
}

Status ServedModel::CheckTable(const ServedTable& described, const TableSpec& spec,
                               const EmbHeader& header) const {
  if (HexDigits(header.model_id) != signature_.model_id() ||
      header.version != signature_.version()) {
    return DataLossError("it is of model " + HexDigits(header.model_id) + ", version " +
                         std::to_string(header.version) + ", the signature is of " +
                         signature_.model_id() + ", version " +
                         std::to_string(signature_.version()));
  }
  if (header.kind != EmbKind::kFull) {
    return DataLossError("it has only what changed since another version");
  }
  if (header.dim != spec.dim() || header.dim != described.dim() ||
      header.rows != described.rows() ||
      static_cast<uint32_t>(header.precision) != static_cast<uint32_t>(described.precision())) {
    return DataLossError("it has " + std::to_string(header.rows) + " rows of " +
                         std::to_string(header.dim) + " weights, expected " +
                         std::to_string(described.rows()) + " of " + std::to_string(spec.dim()));
  }
  return Status();
}

bool ServedModel::CopyRow(TableId table, Key key, float* weights) const {
  const EmbTable& rows = tables_[table].rows;
  const uint32_t row = rows.Find(key);
  if (row == EmbTable::kNoRow) {
    return false;
  }
  rows.CopyRow(row, weights);
  return true;
}

std::span<const float> ServedModel::block(BlockId id) const {
  const auto& values = state_.blocks(static_cast<int>(id)).values();
  return {values.data(), static_cast<size_t>(values.size())};
}

}  // namespace antiphon
