#include "tests/serving/push/disk_chain.h"

#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "common/base/crc32c.h"
#include "serving/emb_writer.h"
#include "serving/signature.h"
#include "serving/version_directory.h"
#include "tests/serving/version_folder.h"

namespace antiphon {

void DiskChain::Train(uint64_t rows) {
  ++version_;
  for (auto& [name, table] : tables_) {
    for (uint64_t i = 0; i < rows; ++i) {
      // Keys whose bytes mean something in patterns, among others.
      const Key key = rng_.Below(2 * rows + 50) * 0x2a3f5b5d;
      if (rng_.Chance(0.2)) {
        table.erase(key);
        changes_[name][key] = false;
        continue;
      }
      float row[kDim];
      for (float& weight : row) {
        weight = static_cast<float>(rng_.Normal());
      }
      table[key].assign(reinterpret_cast<const char*>(row), sizeof(row));
      changes_[name][key] = true;
    }
  }
  history_[version_] = tables_;
}

void DiskChain::NextFull(uint64_t rows) {
  Train(rows);
  chain_.clear();
  changes_.clear();
  for (const auto& [name, table] : tables_) {
    for (const auto& [key, row] : table) {
      changes_[name][key] = true;
    }
  }
  Write(FullSignature(version_));
}

void DiskChain::NextStep(uint64_t rows) {
  Train(rows);
  Write(StepSignature(chain_.back(), version_));
}

void DiskChain::Write(Signature signature) {
  signature.set_model_id(model_id_);
  signature.set_cut_ms(static_cast<int64_t>(1000 * version_));
  signature.clear_files();
  const std::string folder = directory_ + "/" + VersionFolderName(version_);
  ASSERT_TRUE(fs_.MakeDirectories(folder + "/" + kEmbeddingFolder).ok());
  for (const char* name : {kGraphFile, kStateFile}) {
    const std::string contents = std::string(name) + " of " + std::to_string(version_);
    ASSERT_TRUE(WriteFileAtomically(fs_, folder + "/" + name, contents).ok());
    ServedFile& file = *signature.add_files();
    file.set_name(name);
    file.set_bytes(contents.size());
    file.set_crc32c(Crc32c(std::as_bytes(std::span(contents))));
  }
  for (const auto& [name, table] : tables_) {
    WriteTable(folder, name, signature);
  }
  changes_.clear();
  chain_.push_back(WriteVersion(fs_, directory_, signature));
}

void DiskChain::WriteTable(const std::string& folder, const std::string& name,
                           Signature& signature) {
  std::vector<Key> keys;
  std::vector<ServedTombstone> gone;
  for (const auto& [key, is_there] : changes_[name]) {
    if (is_there) {
      keys.push_back(key);
    } else {
      gone.push_back({.key = key});
    }
  }
  const EmbOptions options = {.model_id = 0xaa,
                              .version = version_,
                              .dim = kDim,
                              .kind = signature.has_step() ? EmbKind::kStep : EmbKind::kFull};
  const std::string file = EmbeddingFile(name);
  std::unique_ptr<EmbWriter> writer =
      EmbWriter::Create(fs_, folder + "/" + file, options, keys, gone).value();
  for (const Key key : keys) {
    const std::string& row = tables_[name][key];
    ASSERT_TRUE(writer->Add({reinterpret_cast<const float*>(row.data()), kDim}).ok());
  }
  ServedFile summary = writer->Finish().value();
  summary.set_name(file);
  *signature.add_files() = summary;
  ServedTable& table = *signature.add_tables();
  table.set_name(name);
  table.set_file(file);
  table.set_dim(kDim);
  table.set_precision(ServedTable::FP32);
  table.set_rows(keys.size());
  table.set_tombstones(gone.size());
}

}  // namespace antiphon
