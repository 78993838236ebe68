#include "serving/version_files.h"

#include <algorithm>
#include <utility>

#include "common/base/crc32c.h"
#include "serving/feature_description.h"
#include "serving/signature.h"

namespace antiphon {
namespace {

struct MappedTable {
  std::unique_ptr<MappedFile> file;
  EmbTable rows;
};

Status CheckTable(const Signature& signature, const ServedTable& described, const TableSpec& spec,
                  const EmbTable& table) {
  const EmbHeader& header = table.header();
  if (HexDigits(header.model_id) != signature.model_id() || header.version != signature.version()) {
    return DataLossError("it is of model " + HexDigits(header.model_id) + ", version " +
                         std::to_string(header.version) + ", the signature is of " +
                         signature.model_id() + ", version " + std::to_string(signature.version()));
  }
  if ((header.kind == EmbKind::kStep) != signature.has_step()) {
    return DataLossError(signature.has_step() ? "it has all rows, the signature is of a step"
                                              : "it has only what changed since another version");
  }
  if (header.dim != spec.dim() || header.dim != described.dim() ||
      header.rows != described.rows() || header.tombstones != described.tombstones() ||
      static_cast<uint32_t>(header.precision) != static_cast<uint32_t>(described.precision())) {
    return DataLossError("it has " + std::to_string(header.rows) + " rows of " +
                         std::to_string(header.dim) + " weights and " +
                         std::to_string(header.tombstones) + " tombstones, expected " +
                         std::to_string(described.rows()) + " of " + std::to_string(spec.dim()) +
                         " and " + std::to_string(described.tombstones()));
  }
  return Status();
}

}  // namespace

StatusOr<std::unique_ptr<MappedFile>> MapVersionFile(const VersionLink& version,
                                                     const std::string& name) {
  const std::string path = version.folder + "/" + name;
  const ServedFile* said = FindFile(version.signature, name);
  if (said == nullptr) {
    return DataLossError(version.folder + ": the signature does not name " + name);
  }
  StatusOr<std::unique_ptr<MappedFile>> file = MappedFile::Open(path);
  if (file.status().code() == StatusCode::kNotFound) {
    return DataLossError(file.status().message() + ", which the signature names");
  }
  AP_RETURN_IF_ERROR(file.status());
  if ((*file)->bytes().size() != said->bytes()) {
    return DataLossError(path + ": it has " + std::to_string((*file)->bytes().size()) +
                         " bytes, the signature says " + std::to_string(said->bytes()));
  }
  if (Crc32c((*file)->bytes()) != said->crc32c()) {
    return DataLossError(path + ": its checksum is not the one of the signature");
  }
  return file;
}

StatusOr<std::shared_ptr<const EmbTable>> OpenVersionTable(const VersionLink& version,
                                                           const TableSpec& spec) {
  const auto& tables = version.signature.tables();
  const auto described = std::ranges::find(tables, spec.name(), &ServedTable::name);
  if (described == tables.end()) {
    return DataLossError(version.folder + ": the signature lacks table \"" + spec.name() + "\"");
  }
  AP_ASSIGN_OR_RETURN(std::unique_ptr<MappedFile> file, MapVersionFile(version, described->file()));
  const std::string path = version.folder + "/" + described->file();
  StatusOr<EmbTable> rows = EmbTable::Open(file->bytes());
  AP_RETURN_IF_ERROR(rows.status().WithContext(path));
  AP_RETURN_IF_ERROR(CheckTable(version.signature, *described, spec, *rows).WithContext(path));
  const auto mapped =
      std::make_shared<const MappedTable>(MappedTable{std::move(file), *std::move(rows)});
  return std::shared_ptr<const EmbTable>(mapped, &mapped->rows);
}

}  // namespace antiphon
