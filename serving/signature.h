// signature.json: what a version for serving is, for readers in any language. A Signature
// (proto/serving.proto) as JSON with the field names of the schema; 64-bit numbers are strings.
// Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "common/base/status.h"
#include "proto/serving.pb.h"
#include "serving/row_codec.h"

namespace antiphon {

inline constexpr uint32_t kSignatureFormat = 1;
inline constexpr char kSignatureFile[] = "signature.json";
inline constexpr char kGraphFile[] = "model.onnx";
inline constexpr char kStateFile[] = "state.bin";
inline constexpr char kEmbeddingFolder[] = "embeddings";

ServedTable::Precision ToProto(RowPrecision precision);

// The file of a table; what no file name should have is written as %xx.
std::string EmbeddingFile(const std::string& table);

StatusOr<std::string> SignatureJson(const Signature& signature);

// kDataLoss: no JSON of a signature, or one that contradicts itself or names files outside of its
// folder; kUnimplemented: another format.
StatusOr<Signature> ParseSignature(std::string_view json);

// What the signature says of a file; null where it names none like it.
const ServedFile* FindFile(const Signature& signature, std::string_view name);

}  // namespace antiphon
