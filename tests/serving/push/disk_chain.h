// DiskChain: a trainer with two small tables whose versions lie on the disk as an exporter writes
// them, rows and tombstones in real .emb files; dense files are stand-ins.
//
// Owned by one thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "common/base/file_system.h"
#include "common/base/rng.h"
#include "serving/push/served_rows.h"
#include "serving/version_chain.h"

namespace antiphon {

class DiskChain {
 public:
  static constexpr uint32_t kDim = 4;

  // Versions go to `directory`/version-<n>.
  DiskChain(std::string directory, uint64_t seed) : directory_(std::move(directory)), rng_(seed) {}

  // Changes `rows` rows of each table, some of which go, and writes the version with all rows, or
  // the step behind the last one.
  void NextFull(uint64_t rows);
  void NextStep(uint64_t rows);

  // All since the last version with all rows.
  const VersionChain& chain() const { return chain_; }
  const std::string& model_id() const { return model_id_; }
  uint64_t version() const { return version_; }
  // As it was when that version was made: rows as fp32 bytes.
  using Tables = std::map<std::string, ServedRows::Table>;
  const Tables& TablesOf(uint64_t version) const { return history_.at(version); }

 private:
  using Changes = std::map<Key, bool>;  // whether there is a row

  void Train(uint64_t rows);
  void Write(Signature signature);
  void WriteTable(const std::string& folder, const std::string& name, Signature& signature);

  const std::string directory_;
  const std::string model_id_ = "00000000000000aa";
  PosixFileSystem fs_;
  Rng rng_;
  uint64_t version_ = 0;
  Tables tables_ = {{"user", {}}, {"item", {}}};
  std::map<std::string, Changes> changes_;
  std::map<uint64_t, Tables> history_;
  VersionChain chain_;
};

}  // namespace antiphon
