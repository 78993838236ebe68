#include "common/ckpt/snapshot_manifest.h"

#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <utility>

#include "common/base/crc32c.h"
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
  const bool is_delta = manifest.kind() == SnapshotManifest::DELTA;
  if (is_delta && (manifest.base_version() > manifest.predecessor_version() ||
                   manifest.predecessor_version() >= manifest.version())) {
    return DataLossError(
        "version " + std::to_string(manifest.version()) + " is a delta of version " +
        std::to_string(manifest.predecessor_version()) + " on top of version " +
        std::to_string(manifest.base_version()) + ", expected each below the one before");
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

// Where a file of the snapshot stands among the others: by its header alone.
Status CheckHeader(const LaneFileHeader& header, const SnapshotManifest& manifest,
                   std::set<ShardId>& shards) {
  const auto differs = [](const std::string& what, uint64_t theirs, uint64_t ours) {
    return DataLossError("its header says " + what + " " + std::to_string(theirs) +
                         ", the manifest " + std::to_string(ours));
  };
  if (header.version() != manifest.version()) {
    return differs("version", header.version(), manifest.version());
  }
  if (header.delta_since() != manifest.predecessor_version()) {
    return differs("that it is a delta of", header.delta_since(), manifest.predecessor_version());
  }
  for (const PositionGroup& group : header.groups()) {
    for (const ShardId shard : group.shards()) {
      if (!shards.insert(shard).second) {
        return DataLossError("shard " + std::to_string(shard) + " is in another file too");
      }
    }
  }
  return Status();
}

Status ReadToEnd(FileSystem& fs, const std::string& folder, const SnapshotFile& file,
                 const SnapshotManifest& manifest, std::set<ShardId>& shards) {
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<LaneFileReader> reader,
                      LaneFileReader::Open(fs, folder, file));
  AP_RETURN_IF_ERROR(CheckHeader(reader->header(), manifest, shards).WithContext(reader->path()));
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

std::optional<uint64_t> VersionOfFolder(std::string_view name) {
  if (!name.starts_with(kFolderPrefix)) {
    return std::nullopt;
  }
  return ParseUint(name.substr(kFolderPrefix.size()));
}

std::string ManifestPath(const std::string& folder) {
  return folder + "/" + std::string(kManifestName);
}

std::string LaneFileName(LaneId lane) {
  return "lane-" + std::to_string(lane) + ".aps";
}

StatusOr<uint32_t> WriteManifest(FileSystem& fs, const std::string& folder,
                                 SnapshotManifest manifest) {
  manifest.set_format(kSnapshotFormat);
  AP_ASSIGN_OR_RETURN(const std::string sealed, SealMessage(kManifestKind, manifest));
  AP_RETURN_IF_ERROR(WriteFileAtomically(fs, ManifestPath(folder), sealed));
  return Crc32c(std::as_bytes(std::span(sealed)));
}

StatusOr<SnapshotManifest> ReadManifest(FileSystem& fs, const std::string& folder,
                                        uint32_t* crc32c) {
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
  if (crc32c != nullptr) {
    *crc32c = Crc32c(bytes);
  }
  return manifest;
}

Status VerifySnapshot(FileSystem& fs, const std::string& folder, const SnapshotManifest& manifest) {
  std::set<ShardId> shards;
  for (const SnapshotFile& file : manifest.files()) {
    AP_RETURN_IF_ERROR(ReadToEnd(fs, folder, file, manifest, shards));
  }
  const uint32_t expected = manifest.plan().schema().shard_count();
  if (manifest.has_plan() && shards.size() != expected) {
    return DataLossError(folder + ": its files have " + std::to_string(shards.size()) +
                         " shards, the plan has " + std::to_string(expected));
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
