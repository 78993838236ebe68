#include "common/ckpt/snapshot_manifest.h"

#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <utility>

#include "common/base/logging.h"
#include "common/base/text.h"
#include "common/ckpt/lane_file_reader.h"
#include "common/ckpt/sealed_message.h"

namespace antiphon {

namespace {

constexpr std::string_view kManifestName = "MANIFEST";
constexpr std::string_view kFolderPrefix = "snapshot-";
constexpr SealKind kManifestKind = {
    .magic = "APMANI\r\n", .format = kSnapshotFormat, .max_bytes = uint64_t{256} << 20};

std::string ManifestPath(const std::string& folder) {
  return folder + "/" + std::string(kManifestName);
}

// A name that a hostile manifest cannot lead out of the folder with.
Status CheckFileName(const std::string& name) {
  const bool is_plain = !name.empty() && name != "." && name != ".." &&
                        name.find('/') == std::string::npos && name.find('\0') == std::string::npos;
  return is_plain ? Status()
                  : DataLossError("'" + name + "' is not the name of a file in the folder");
}

Status CheckManifest(const SnapshotManifest& manifest) {
  if (manifest.format() != kSnapshotFormat) {
    return UnimplementedError("format " + std::to_string(manifest.format()) +
                              ", this version reads format " + std::to_string(kSnapshotFormat));
  }
  if (manifest.kind() != SnapshotManifest::FULL) {
    return UnimplementedError("a delta, which this version cannot apply; give a full snapshot");
  }
  if (manifest.files().empty()) {
    return DataLossError("it names no file");
  }
  std::set<std::string> names;
  for (const SnapshotFile& file : manifest.files()) {
    AP_RETURN_IF_ERROR(CheckFileName(file.name()));
    if (!names.insert(file.name()).second) {
      return DataLossError("it names " + file.name() + " twice");
    }
  }
  return Status();
}

std::optional<uint64_t> VersionOfFolder(std::string_view name) {
  if (!name.starts_with(kFolderPrefix)) {
    return std::nullopt;
  }
  return ParseUint(name.substr(kFolderPrefix.size()));
}

Status ReadToEnd(FileSystem& fs, const std::string& folder, const SnapshotFile& file) {
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<LaneFileReader> reader,
                      LaneFileReader::Open(fs, folder, file));
  while (true) {
    AP_ASSIGN_OR_RETURN(const std::optional<LaneBlock> block, reader->Next());
    if (!block.has_value()) {
      return Status();
    }
  }
}

}  // namespace

std::string SnapshotFolder(const std::string& directory, uint64_t version) {
  return directory + "/" + std::string(kFolderPrefix) + std::to_string(version);
}

std::string LaneFileName(LaneId lane) {
  return "lane-" + std::to_string(lane) + ".aps";
}

Status WriteManifest(FileSystem& fs, const std::string& folder, SnapshotManifest manifest) {
  manifest.set_format(kSnapshotFormat);
  AP_ASSIGN_OR_RETURN(const std::string sealed, SealMessage(kManifestKind, manifest));
  return WriteFileAtomically(fs, ManifestPath(folder), sealed);
}

StatusOr<SnapshotManifest> ReadManifest(FileSystem& fs, const std::string& folder) {
  const std::string path = ManifestPath(folder);
  AP_ASSIGN_OR_RETURN(const std::string contents,
                      ReadWholeFile(fs, path, kSealBytes + kManifestKind.max_bytes));
  const std::span<const std::byte> bytes = std::as_bytes(std::span(contents));
  if (bytes.size() < kSealBytes) {
    return DataLossError(path + ": " + std::to_string(bytes.size()) +
                         " bytes are too few for a manifest");
  }
  const StatusOr<Seal> seal = DecodeSeal(kManifestKind, bytes.first<kSealBytes>());
  if (!seal.ok()) {
    return seal.status().WithContext(path);
  }
  SnapshotManifest manifest;
  Status checked = OpenSealed(*seal, bytes.subspan(kSealBytes), manifest);
  if (checked.ok()) {
    checked = CheckManifest(manifest);
  }
  if (!checked.ok()) {
    return checked.WithContext(path);
  }
  return manifest;
}

Status VerifySnapshot(FileSystem& fs, const std::string& folder, const SnapshotManifest& manifest) {
  for (const SnapshotFile& file : manifest.files()) {
    AP_RETURN_IF_ERROR(ReadToEnd(fs, folder, file));
  }
  return Status();
}

StatusOr<std::string> FindNewestSnapshot(FileSystem& fs, const std::string& directory) {
  if (fs.Exists(ManifestPath(directory))) {
    return directory;
  }
  AP_ASSIGN_OR_RETURN(const std::vector<std::string> names, fs.List(directory));
  std::optional<std::pair<uint64_t, std::string>> newest;
  for (const std::string& name : names) {
    const std::optional<uint64_t> version = VersionOfFolder(name);
    if (!version.has_value() || (newest.has_value() && *version < newest->first)) {
      continue;
    }
    if (!fs.Exists(ManifestPath(directory + "/" + name))) {
      LOG(WARNING) << directory << "/" << name << " has no manifest: passed over as incomplete";
      continue;
    }
    newest.emplace(*version, directory + "/" + name);
  }
  if (!newest.has_value()) {
    return NotFoundError(directory + ": no complete snapshot, expected a folder " +
                         std::string(kFolderPrefix) + "<version> with a " +
                         std::string(kManifestName));
  }
  const Status readable = ReadManifest(fs, newest->second).status();
  if (!readable.ok()) {
    return readable.WithContext(
        "the newest snapshot cannot be read; name an older folder to go back to it");
  }
  return newest->second;
}

}  // namespace antiphon
