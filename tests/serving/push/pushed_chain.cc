#include "tests/serving/push/pushed_chain.h"

#include <cstring>
#include <span>
#include <utility>

#include <gtest/gtest.h>

#include "common/base/crc32c.h"
#include "common/base/hash.h"
#include "serving/feature_description.h"
#include "serving/push/push_record.h"
#include "serving/signature.h"

namespace antiphon {
namespace {

constexpr char kTableFile[] = "embeddings/t.emb";
constexpr uint64_t kKeys = 12;
constexpr uint64_t kPieceBytes = 512;
constexpr uint32_t kGone = ~uint32_t{0};

// A change in the table's file: a key and a row, or kGone.
struct Change {
  uint64_t key = 0;
  uint64_t row = 0;
};

void Append(std::string& file, uint64_t key, uint64_t row) {
  const Change change = {.key = key, .row = row};
  file.append(reinterpret_cast<const char*>(&change), sizeof(change));
}

void NameFile(const std::string& name, const std::string& contents, Signature& signature) {
  ServedFile& file = *signature.add_files();
  file.set_name(name);
  file.set_bytes(contents.size());
  file.set_crc32c(Crc32c(std::as_bytes(std::span(contents))));
}

}  // namespace

PushedChain::PushedChain(uint64_t model_id, uint64_t seed)
    : model_id_(HexDigits(model_id)), rng_(seed) {}

void PushedChain::Train() {
  for (uint64_t changes = 1 + rng_.Below(5); changes > 0; --changes) {
    const uint64_t key = rng_.Below(kKeys);
    if (rng_.Chance(0.3)) {
      table_.erase(key);
      changes_[key] = std::nullopt;
    } else {
      const auto row = static_cast<uint32_t>(rng_.Below(kGone));
      table_[key] = row;
      changes_[key] = row;
    }
  }
  ++version_;
  history_[version_] = table_;
}

std::vector<std::string> PushedChain::NextStep() {
  if (!position_.has_value()) {
    return NextFull();
  }
  Train();
  ServedStep step;
  step.set_base(base_);
  step.set_sequence(++sequence_);
  step.set_predecessor(position_->version);
  step.set_predecessor_digest(position_->digest);
  std::string file;
  for (const auto& [key, row] : changes_) {
    Append(file, key, row.value_or(kGone));
  }
  return Records(&step, file);
}

std::vector<std::string> PushedChain::NextFull() {
  Train();
  return FullAgain();
}

std::vector<std::string> PushedChain::FullAgain() {
  base_ = version_;
  sequence_ = 0;
  std::string file;
  for (const auto& [key, row] : table_) {
    Append(file, key, row);
  }
  return Records(nullptr, file);
}

std::vector<std::string> PushedChain::Records(const ServedStep* step, const std::string& table) {
  changes_.clear();
  std::map<std::string, std::string> files = {{kGraphFile, "graph"},
                                              {kStateFile, "state of " + std::to_string(version_)},
                                              {kTableFile, table}};
  Signature signature;
  signature.set_format(kSignatureFormat);
  signature.set_model_id(model_id_);
  signature.set_version(version_);
  if (step != nullptr) {
    *signature.mutable_step() = *step;
  }
  for (const auto& [name, contents] : files) {
    NameFile(name, contents, signature);
  }
  files[kSignatureFile] = SignatureJson(signature).value();
  position_ = {.model_id = model_id_,
               .version = version_,
               .digest = HexDigits(HashBytes(files[kSignatureFile]))};
  const std::vector<PushPiece> pieces =
      CutVersion(signature, files[kSignatureFile].size(), kPieceBytes);
  std::vector<std::string> records;
  for (size_t i = 0; i < pieces.size(); ++i) {
    PushRecord record;
    record.set_model_id(model_id_);
    record.set_version(version_);
    record.set_digest(position_->digest);
    if (step != nullptr) {
      *record.mutable_step() = *step;
    }
    record.set_part(static_cast<uint32_t>(i));
    record.set_parts(static_cast<uint32_t>(pieces.size()));
    record.set_file(pieces[i].file);
    record.set_offset(pieces[i].offset);
    record.set_bytes(files[pieces[i].file].substr(pieces[i].offset, pieces[i].bytes));
    records.push_back(EncodePushRecord(record).value());
  }
  return records;
}

Status SmallServer::Apply(const ReceivedVersion& version) {
  const Signature& signature = version.signature;
  if (!signature.has_step()) {
    table_.clear();
  } else if (signature.step().predecessor_digest() != digest_) {
    return DataLossError("version " + std::to_string(signature.version()) +
                         " does not grow from what is served");
  }
  digest_ = version.digest;
  const std::string& file = version.files.at(kTableFile);
  for (size_t at = 0; at + sizeof(Change) <= file.size(); at += sizeof(Change)) {
    Change change;
    std::memcpy(&change, file.data() + at, sizeof(change));
    if (change.row == kGone) {
      table_.erase(change.key);
    } else {
      table_[change.key] = static_cast<uint32_t>(change.row);
    }
  }
  return Status();
}

}  // namespace antiphon
