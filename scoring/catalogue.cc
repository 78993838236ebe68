#include "scoring/catalogue.h"

#include "scoring/named_rows.h"

namespace antiphon {

StatusOr<Catalogue> Catalogue::Load(FileSystem& fs, const std::string& path,
                                    const DataConfig& data) {
  AP_ASSIGN_OR_RETURN(NamedRows rows, NamedRows::Open(fs, path, data, NamedRows::Header::kNeeded));
  Catalogue catalogue;
  catalogue.path_ = path;
  catalogue.columns_ = rows.columns();
  if (catalogue.columns_.size() < 2) {
    return InvalidArgumentError(path +
                                ":1: the header has one column, expected a key and what "
                                "an entry brings");
  }
  while (true) {
    AP_ASSIGN_OR_RETURN(const bool is_there, rows.Next());
    if (!is_there) {
      break;
    }
    catalogue.entries_[std::string(rows.values()[0])].emplace_back(rows.values().begin(),
                                                                   rows.values().end());
  }
  if (catalogue.entries_.empty()) {
    return DataLossError(path + ": has no entry behind its header");
  }
  return catalogue;
}

std::span<const Catalogue::Entry> Catalogue::Find(std::string_view key) const {
  const auto found = entries_.find(std::string(key));
  return found == entries_.end() ? std::span<const Entry>() : found->second;
}

}  // namespace antiphon
