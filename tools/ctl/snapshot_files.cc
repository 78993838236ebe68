#include "tools/ctl/snapshot_files.h"

#include <vector>

#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "common/base/text_table.h"
#include "common/ckpt/snapshot_chain.h"
#include "common/ckpt/snapshot_manifest.h"
#include "common/ckpt/snapshot_retention.h"

namespace antiphon {
namespace {

using Json = nlohmann::ordered_json;

struct Totals {
  uint64_t rows = 0;
  uint64_t tombstones = 0;
  uint64_t bytes = 0;
};

Totals TotalsOf(const SnapshotManifest& manifest) {
  Totals totals;
  for (const SnapshotFile& file : manifest.files()) {
    totals.rows += file.rows();
    totals.tombstones += file.tombstones();
    totals.bytes += file.bytes();
  }
  return totals;
}

// Of the job's conditions for a promotion; empty: it has none.
std::string VerdictOf(const SnapshotManifest& manifest) {
  if (!manifest.has_promoted()) {
    return "";
  }
  return manifest.promoted() ? "promoted" : "refused: " + manifest.not_met(0);
}

std::string KindOf(const SnapshotManifest& manifest) {
  return manifest.kind() == SnapshotManifest::DELTA
             ? "delta of " + std::to_string(manifest.predecessor_version())
             : "full";
}

StatusOr<std::vector<FoundSnapshot>> FindAll(FileSystem& fs, const std::string& directory) {
  AP_ASSIGN_OR_RETURN(std::vector<FoundSnapshot> found, ListSnapshots(fs, directory));
  if (found.empty()) {
    return NotFoundError(directory + ": no snapshot, expected folders snapshot-<version>");
  }
  return found;
}

// Every file once; that the links of a chain fit together stands in their manifests.
StatusOr<uint64_t> VerifyAll(SnapshotFilesContext& context, const std::string& directory) {
  if (context.fs.Exists(ManifestPath(directory))) {
    AP_ASSIGN_OR_RETURN(const SnapshotChain chain, ReadChain(context.fs, directory));
    AP_RETURN_IF_ERROR(VerifyChain(context.fs, chain));
    return chain.size();
  }
  AP_ASSIGN_OR_RETURN(const std::vector<FoundSnapshot> found, FindAll(context.fs, directory));
  uint64_t whole = 0;
  for (const FoundSnapshot& snapshot : found) {
    if (!snapshot.is_complete) {
      continue;
    }
    AP_ASSIGN_OR_RETURN(const SnapshotChain chain, ReadChain(context.fs, snapshot.folder));
    AP_RETURN_IF_ERROR(VerifySnapshot(context.fs, snapshot.folder, chain.back().manifest));
    ++whole;
  }
  return whole;
}

}  // namespace

StatusOr<CtlExit> ShowSnapshots(SnapshotFilesContext& context, const std::string& directory) {
  AP_ASSIGN_OR_RETURN(const std::vector<FoundSnapshot> found, FindAll(context.fs, directory));
  TextTable table({"VERSION", "KIND", "ROWS", "REMOVED", "SIZE", "WRITTEN", "VERDICT"}, 2);
  Json json = {{"schema", 1}, {"snapshots", Json::array()}};
  for (const FoundSnapshot& snapshot : found) {
    const std::string version = std::to_string(snapshot.version);
    if (!snapshot.is_complete) {
      table.AddRow({version, "incomplete", "", "", "", "", ""});
      json["snapshots"].push_back({{"version", snapshot.version}, {"kind", "incomplete"}});
      continue;
    }
    AP_ASSIGN_OR_RETURN(const SnapshotManifest manifest, ReadManifest(context.fs, snapshot.folder));
    const Totals totals = TotalsOf(manifest);
    const int64_t age = context.clock.WallSeconds() - manifest.created_seconds();
    table.AddRow({version, KindOf(manifest), std::to_string(totals.rows),
                  std::to_string(totals.tombstones), FormatBytes(totals.bytes),
                  std::to_string(age) + " s ago", VerdictOf(manifest)});
    Json entry = {{"version", snapshot.version},
                  {"kind", KindOf(manifest)},
                  {"base_version", snapshot.base_version},
                  {"rows", totals.rows},
                  {"removed", totals.tombstones},
                  {"bytes", totals.bytes},
                  {"written_seconds", manifest.created_seconds()}};
    if (manifest.has_promoted()) {
      entry["promoted"] = manifest.promoted();
      entry["not_met"] = manifest.not_met();
    }
    json["snapshots"].push_back(std::move(entry));
  }
  context.out << (context.format == OutputFormat::kJson ? json.dump(2) + "\n" : table.ToString());
  return CtlExit::kHealthy;
}

StatusOr<CtlExit> VerifySnapshots(SnapshotFilesContext& context, const std::string& directory) {
  AP_ASSIGN_OR_RETURN(const uint64_t whole, VerifyAll(context, directory));
  if (context.format == OutputFormat::kJson) {
    context.out << Json({{"schema", 1}, {"directory", directory}, {"whole", whole}}).dump(2)
                << "\n";
  } else {
    context.out << directory << ": " << whole << " snapshots, all whole\n";
  }
  return CtlExit::kHealthy;
}

}  // namespace antiphon
