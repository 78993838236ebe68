#include "serving/signature.h"

#include <cctype>
#include <set>

#include <google/protobuf/util/json_util.h>

namespace antiphon {
namespace {

// A file of the version's own folder, or of a folder in it.
bool IsSafeName(const std::string& name) {
  return !name.empty() && name[0] != '/' && name.find('\\') == std::string::npos &&
         name.find('\0') == std::string::npos &&
         ("/" + name + "/").find("/../") == std::string::npos;
}

Status CheckFiles(const Signature& signature) {
  std::set<std::string> names;
  for (const ServedFile& file : signature.files()) {
    if (!IsSafeName(file.name()) || !names.insert(file.name()).second) {
      return DataLossError("it names a file \"" + file.name() + "\", or names it twice");
    }
  }
  for (const char* name : {kGraphFile, kStateFile}) {
    if (!names.contains(name)) {
      return DataLossError(std::string("it does not name ") + name);
    }
  }
  std::set<std::string> tables;
  for (const ServedTable& table : signature.tables()) {
    if (!names.contains(table.file()) || !tables.insert(table.name()).second || table.dim() == 0) {
      return DataLossError("table \"" + table.name() +
                           "\" is there twice, has no width, or has a file \"" + table.file() +
                           "\" that is not among its files");
    }
  }
  return Status();
}

// What a step says of its place is there and possible.
Status CheckStep(const Signature& signature) {
  const ServedStep& step = signature.step();
  if (step.sequence() == 0 || step.predecessor_digest().empty() || !step.has_base() ||
      step.base() > step.predecessor() || step.predecessor() >= signature.version()) {
    return DataLossError("it is step " + std::to_string(step.sequence()) + " behind version " +
                         std::to_string(step.base()) + " with predecessor " +
                         std::to_string(step.predecessor()) + ", which no version " +
                         std::to_string(signature.version()) + " can be");
  }
  return Status();
}

}  // namespace

ServedTable::Precision ToProto(RowPrecision precision) {
  switch (precision) {
    case RowPrecision::kFp32:
      return ServedTable::FP32;
    case RowPrecision::kFp16:
      return ServedTable::FP16;
    case RowPrecision::kInt8:
      return ServedTable::INT8;
  }
  return ServedTable::FP32;
}

std::string EmbeddingFile(const std::string& table) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string name = std::string(kEmbeddingFolder) + "/";
  for (const char c : table) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || c == '_' || c == '-') {
      name += c;
    } else {
      name += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return name + ".emb";
}

StatusOr<std::string> SignatureJson(const Signature& signature) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(signature, &json, options);
  if (!status.ok()) {
    return InvalidArgumentError("the signature cannot be written as JSON: " + status.ToString());
  }
  return json;
}

StatusOr<Signature> ParseSignature(std::string_view json) {
  Signature signature;
  const auto status =
      google::protobuf::util::JsonStringToMessage({json.data(), json.size()}, &signature);
  if (!status.ok()) {
    return DataLossError("no signature: " + status.ToString());
  }
  if (signature.format() != kSignatureFormat) {
    return UnimplementedError("format " + std::to_string(signature.format()) +
                              ", this version reads format " + std::to_string(kSignatureFormat));
  }
  AP_RETURN_IF_ERROR(CheckFiles(signature));
  if (signature.has_step()) {
    AP_RETURN_IF_ERROR(CheckStep(signature));
  }
  return signature;
}

const ServedFile* FindFile(const Signature& signature, std::string_view name) {
  for (const ServedFile& file : signature.files()) {
    if (file.name() == name) {
      return &file;
    }
  }
  return nullptr;
}

}  // namespace antiphon
