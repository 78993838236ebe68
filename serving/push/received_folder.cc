#include "serving/push/received_folder.h"

#include <utility>
#include <vector>

#include "common/base/logging.h"
#include "common/base/text.h"
#include "serving/push/push_target.h"
#include "serving/signature.h"
#include "serving/version_chain.h"
#include "serving/version_directory.h"

namespace antiphon {
namespace {

constexpr char kPlaceFile[] = "log_place";
constexpr uint64_t kMaxPlaceBytes = 4096;

Status RemoveAll(FileSystem& fs, const std::string& path) {
  if (fs.IsDirectory(path)) {
    AP_ASSIGN_OR_RETURN(const std::vector<std::string> names, fs.List(path));
    for (const std::string& name : names) {
      AP_RETURN_IF_ERROR(RemoveAll(fs, path + "/" + name));
    }
  }
  return fs.Remove(path);
}

}  // namespace

StatusOr<std::unique_ptr<ReceivedFolder>> ReceivedFolder::Open(FileSystem& fs,
                                                               const std::string& directory) {
  std::unique_ptr<ReceivedFolder> folder(new ReceivedFolder(fs, WithoutTrailingSlash(directory)));
  AP_RETURN_IF_ERROR(fs.MakeDirectories(folder->directory_));
  const StatusOr<VersionChain> chain = ReadCurrentChain(fs, folder->directory_);
  if (chain.ok()) {
    folder->served_ = PositionOf(chain->back());
    folder->base_ = chain->front().signature.version();
  } else if (chain.status().code() != StatusCode::kNotFound) {
    return chain.status();
  }
  return folder;
}

Status ReceivedFolder::Install(const ReceivedVersion& version) {
  const uint64_t number = version.signature.version();
  const std::string folder = directory_ + "/" + VersionFolderName(number);
  const StatusOr<VersionLink> there = ReadVersionLink(fs_, folder);
  if (!there.ok() || there->digest != version.digest) {
    AP_RETURN_IF_ERROR(WriteVersion(version, folder));
  }
  AP_RETURN_IF_ERROR(WriteCurrent(fs_, directory_, number));
  served_ = version.position();
  if (!version.signature.has_step()) {
    const uint64_t chain_before = std::exchange(base_, number);
    RemoveBefore(chain_before).IgnoreError();  // the next one tries again
  }
  return Status();
}

// The same version may be there already with other bytes, made once more by an exporter that had
// lost its own: readers that look between the two renames keep what they serve and look again.
Status ReceivedFolder::WriteVersion(const ReceivedVersion& version, const std::string& folder) {
  const std::string coming = folder + ".tmp";
  const std::string going = folder + ".old";
  for (const std::string& left : {coming, going}) {
    if (fs_.Exists(left)) {
      AP_RETURN_IF_ERROR(RemoveAll(fs_, left));
    }
  }
  AP_RETURN_IF_ERROR(fs_.MakeDirectories(coming));
  for (const auto& [name, contents] : version.files) {
    if (const size_t slash = name.rfind('/'); slash != std::string::npos) {
      AP_RETURN_IF_ERROR(fs_.MakeDirectories(coming + "/" + name.substr(0, slash)));
    }
    AP_RETURN_IF_ERROR(WriteFileAtomically(fs_, coming + "/" + name, contents));
  }
  AP_RETURN_IF_ERROR(fs_.SyncDirectory(coming));
  const bool replaces = fs_.Exists(folder);
  if (replaces) {
    AP_RETURN_IF_ERROR(fs_.Rename(folder, going));
  }
  AP_RETURN_IF_ERROR(fs_.Rename(coming, folder));
  AP_RETURN_IF_ERROR(fs_.SyncDirectory(directory_));
  return replaces ? RemoveAll(fs_, going) : Status();
}

Status ReceivedFolder::RemoveBefore(uint64_t version) {
  AP_ASSIGN_OR_RETURN(const std::vector<std::string> names, fs_.List(directory_));
  for (const std::string& name : names) {
    const std::optional<uint64_t> number = VersionOfFolderName(name);
    if (number.has_value() && *number < version) {
      AP_RETURN_IF_ERROR(RemoveAll(fs_, directory_ + "/" + name));
    }
  }
  return Status();
}

std::optional<int64_t> ReceivedFolder::ReadPlace(const std::string& log) const {
  const StatusOr<std::string> text =
      ReadWholeFile(fs_, directory_ + "/" + kPlaceFile, kMaxPlaceBytes);
  const std::string prefix = log + " ";
  if (!text.ok() || !text->starts_with(prefix)) {
    return std::nullopt;
  }
  return ParseInt(Trim(std::string_view(*text).substr(prefix.size())));
}

Status ReceivedFolder::WritePlace(const std::string& log, int64_t offset) {
  return WriteFileAtomically(fs_, directory_ + "/" + kPlaceFile,
                             log + " " + std::to_string(offset) + "\n");
}

}  // namespace antiphon
