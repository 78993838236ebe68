#include "serving/export/version_retention.h"

#include <algorithm>
#include <optional>
#include <set>

#include "serving/export/exporter.h"
#include "serving/signature.h"
#include "serving/version_chain.h"
#include "serving/version_directory.h"

namespace antiphon {
namespace {

constexpr std::string_view kTemporary = ".tmp";

// Half of a version, or half of CURRENT.
bool IsTemporary(const std::string& name) {
  if (!name.ends_with(kTemporary)) {
    return false;
  }
  const std::string_view whole = std::string_view(name).substr(0, name.size() - kTemporary.size());
  return whole == kCurrentFile || VersionOfFolderName(whole).has_value();
}

}  // namespace

StatusOr<std::vector<FoundVersion>> ListVersions(FileSystem& fs, const std::string& directory) {
  std::vector<FoundVersion> found;
  AP_ASSIGN_OR_RETURN(const std::vector<std::string> names, fs.List(directory));
  for (const std::string& name : names) {
    const std::optional<uint64_t> number = VersionOfFolderName(name);
    if (!number.has_value()) {
      continue;
    }
    FoundVersion& version = found.emplace_back();
    version.version = *number;
    version.folder = directory + "/" + name;
    version.is_whole = fs.Exists(version.folder + "/" + kSignatureFile);
    if (version.is_whole) {
      AP_ASSIGN_OR_RETURN(const VersionLink link, ReadVersionLink(fs, version.folder));
      version.base = BaseOf(link.signature);
    }
  }
  std::ranges::sort(found, {}, &FoundVersion::version);
  return found;
}

std::vector<std::string> OutdatedVersions(const std::vector<FoundVersion>& found, uint32_t keep,
                                          uint64_t current) {
  std::set<uint64_t> kept;  // bases
  const auto served = std::ranges::find(found, current, &FoundVersion::version);
  if (served != found.end()) {
    kept.insert(served->base);
  }
  std::vector<std::string> outdated;
  for (size_t i = found.size(); i-- > 0;) {
    const FoundVersion& version = found[i];
    if (version.is_whole && (kept.contains(version.base) || kept.size() < std::max(keep, 1U))) {
      kept.insert(version.base);
    } else {
      outdated.push_back(version.folder);
    }
  }
  return outdated;
}

Status RemoveVersion(FileSystem& fs, const std::string& folder) {
  const std::string signature = folder + "/" + kSignatureFile;
  if (fs.Exists(signature)) {
    AP_RETURN_IF_ERROR(fs.Remove(signature));
    AP_RETURN_IF_ERROR(fs.SyncDirectory(folder));
  }
  return RemoveFolder(fs, folder);
}

Status RemoveLeftovers(FileSystem& fs, const std::string& directory, uint64_t current) {
  AP_ASSIGN_OR_RETURN(const std::vector<std::string> names, fs.List(directory));
  for (const std::string& name : names) {
    const std::string path = directory + "/" + name;
    const std::optional<uint64_t> version = VersionOfFolderName(name);
    if (IsTemporary(name)) {
      AP_RETURN_IF_ERROR(fs.IsDirectory(path) ? RemoveFolder(fs, path) : fs.Remove(path));
    } else if (version.has_value() &&
               (*version > current || !fs.Exists(path + "/" + kSignatureFile))) {
      AP_RETURN_IF_ERROR(RemoveVersion(fs, path));
    }
  }
  return Status();
}

}  // namespace antiphon
