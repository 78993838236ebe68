// Writes versions of a small model to a disk, as an exporter would: one task, one feature of ids.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/base/file_system.h"
#include "common/base/types.h"
#include "proto/plan.pb.h"
#include "serving/row_codec.h"
#include "serving/version_chain.h"

namespace antiphon {

// What a version brings; every weight of a row is `stamp`, and so is every dense weight.
struct MadeVersion {
  uint64_t number = 0;
  float stamp = 0;
  std::vector<Key> rows = {};     // ascending
  std::vector<Key> removed = {};  // of a step
  int64_t cut_ms = 0;
  std::vector<int64_t> sample_ages_ms = {};
  uint64_t model_id = 1;
};

class VersionMaker {
 public:
  static constexpr uint32_t kDim = 4;

  // `directory` is made.
  explicit VersionMaker(const std::string& directory);

  // A version with all its rows, in DIRECTORY/version-<number>. Any error fails the test.
  VersionLink Full(const MadeVersion& version);
  // One with what changed since `before`.
  VersionLink Step(const VersionLink& before, const MadeVersion& version);
  void SetCurrent(uint64_t number);

  const std::string& directory() const { return directory_; }
  PosixFileSystem& fs() { return fs_; }
  // Writes a byte of a file of a version over with another.
  void Damage(uint64_t number, const std::string& file);

 private:
  VersionLink Write(const MadeVersion& version, Signature signature);
  void WriteRows(const MadeVersion& version, const std::string& folder, Signature& signature);
  void WriteFile(const std::string& folder, const std::string& name, const std::string& contents,
                 Signature& signature);

  PosixFileSystem fs_;
  const std::string directory_;
  std::string job_text_;
  TrainingPlan plan_;
};

}  // namespace antiphon
