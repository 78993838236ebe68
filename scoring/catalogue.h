// Catalogue: what something that requests name, such as a host, may be shown with.
//
// A text file with a header: the first column is the key, named like a column of the requests; the
// others are what one entry brings, its id first. A key has as many entries as it has lines.
// Frozen after Load.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/base/file_system.h"
#include "common/base/status.h"
#include "proto/job.pb.h"

namespace antiphon {

class Catalogue {
 public:
  using Entry = std::vector<std::string>;  // by column, the key too

  // Fails when the file has no entry, or fewer than two columns.
  static StatusOr<Catalogue> Load(FileSystem& fs, const std::string& path, const DataConfig& data);

  const std::string& path() const { return path_; }
  const std::vector<std::string>& columns() const { return columns_; }
  const std::string& key_column() const { return columns_[0]; }
  const std::string& id_column() const { return columns_[1]; }

  // The entries of a key in the file's order; none when it has no line.
  std::span<const Entry> Find(std::string_view key) const;

 private:
  std::string path_;
  std::vector<std::string> columns_;
  std::unordered_map<std::string, std::vector<Entry>> entries_;
};

}  // namespace antiphon
