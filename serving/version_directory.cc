#include "serving/version_directory.h"

#include "common/base/text.h"

namespace antiphon {
namespace {

constexpr std::string_view kPrefix = "version-";
constexpr uint64_t kMaxCurrentBytes = 256;

}  // namespace

std::string VersionFolderName(uint64_t version) {
  return std::string(kPrefix) + std::to_string(version);
}

std::optional<uint64_t> VersionOfFolderName(std::string_view name) {
  if (!name.starts_with(kPrefix)) {
    return std::nullopt;
  }
  const std::optional<uint64_t> version = ParseUint(name.substr(kPrefix.size()));
  // One name a version: no zeros or signs in front.
  return version.has_value() && VersionFolderName(*version) == name ? version : std::nullopt;
}

std::string WithoutTrailingSlash(const std::string& folder) {
  const size_t last = folder.find_last_not_of('/');
  return last == std::string::npos ? folder : folder.substr(0, last + 1);
}

std::string FolderAbove(std::string_view folder) {
  const size_t end = folder.find_last_not_of('/');
  const std::string_view path = folder.substr(0, end == std::string_view::npos ? 0 : end + 1);
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) {
    return ".";
  }
  return slash == 0 ? "/" : std::string(path.substr(0, slash));
}

StatusOr<std::string> ReadCurrent(FileSystem& fs, const std::string& directory) {
  const std::string path = directory + "/" + kCurrentFile;
  if (!fs.Exists(path)) {
    return NotFoundError(path + " is not there: no version has been published yet");
  }
  AP_ASSIGN_OR_RETURN(const std::string line, ReadWholeFile(fs, path, kMaxCurrentBytes));
  const std::string_view name = Trim(line);
  if (!VersionOfFolderName(name).has_value()) {
    return DataLossError(path + " says \"" + std::string(name) +
                         "\", expected the name of a version such as version-12");
  }
  return std::string(name);
}

Status WriteCurrent(FileSystem& fs, const std::string& directory, uint64_t version) {
  return WriteFileAtomically(fs, directory + "/" + kCurrentFile, VersionFolderName(version) + "\n");
}

}  // namespace antiphon
