// A small snapshot of two lanes that the tests of common/ckpt write, damage and read.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/file_system.h"
#include "common/base/status.h"
#include "common/ckpt/lane_file_reader.h"
#include "common/ckpt/lane_file_writer.h"
#include "common/ckpt/snapshot_manifest.h"

namespace antiphon {

inline LaneFileHeader SmallHeader(LaneId lane) {
  LaneFileHeader header;
  header.set_version(3);
  header.set_cluster_id(0x1122334455667788);
  header.set_lane(lane);
  header.mutable_schema()->set_seed(1);
  header.mutable_schema()->set_shard_count(4);
  header.mutable_schema()->set_chunk_floats(8);
  PositionGroup* group = header.add_groups();
  group->add_shards(2 * lane);
  group->add_shards(2 * lane + 1);
  PartitionPosition* position = group->add_positions();
  position->set_partition(0);
  position->set_lease_epoch(2);
  position->set_applied_through(512);
  return header;
}

inline std::span<const std::byte> BytesOf(const std::string& text) {
  return std::as_bytes(std::span(text));
}

// Three rows of table 1 and chunk 5 of block 0.
inline StatusOr<SnapshotFile> WriteSmallFile(FileSystem& fs, const std::string& folder, LaneId lane,
                                             const LaneFileHeader& header) {
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<LaneFileWriter> writer,
                      LaneFileWriter::Create(fs, folder, LaneFileName(lane), header));
  const std::string rows = "row-0000row-0001row-0002";
  AP_RETURN_IF_ERROR(writer->Append(
      {.kind = BlockKind::kRows, .subject = 1, .index = 0, .count = 3, .payload = BytesOf(rows)}));
  const std::string chunk = "eight floats would be here";
  AP_RETURN_IF_ERROR(writer->Append({.kind = BlockKind::kChunk,
                                     .subject = 0,
                                     .index = 5,
                                     .count = 8,
                                     .payload = BytesOf(chunk)}));
  return writer->Finish();
}

inline StatusOr<SnapshotFile> WriteSmallFile(FileSystem& fs, const std::string& folder,
                                             LaneId lane) {
  return WriteSmallFile(fs, folder, lane, SmallHeader(lane));
}

// Writes `directory`/snapshot-3 with two lanes.
inline Status WriteSmallSnapshot(FileSystem& fs, const std::string& directory) {
  const std::string folder = SnapshotFolder(directory, 3);
  AP_RETURN_IF_ERROR(fs.MakeDirectories(folder));
  SnapshotManifest manifest;
  manifest.set_version(3);
  manifest.set_cluster_id(0x1122334455667788);
  manifest.set_created_seconds(1'700'000'000);
  for (LaneId lane = 0; lane < 2; ++lane) {
    AP_ASSIGN_OR_RETURN(*manifest.add_files(), WriteSmallFile(fs, folder, lane));
  }
  return WriteManifest(fs, folder, manifest).status();
}

// What a reader of a whole file saw.
struct FileContents {
  LaneFileHeader header;
  std::vector<LaneBlock> blocks;      // without payloads
  std::vector<std::string> payloads;  // of the blocks
};

inline StatusOr<FileContents> ReadFile(FileSystem& fs, const std::string& folder,
                                       const SnapshotFile& expected) {
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<LaneFileReader> reader,
                      LaneFileReader::Open(fs, folder, expected));
  FileContents contents;
  contents.header = reader->header();
  while (true) {
    AP_ASSIGN_OR_RETURN(std::optional<LaneBlock> block, reader->Next());
    if (!block.has_value()) {
      return contents;
    }
    contents.payloads.emplace_back(reinterpret_cast<const char*>(block->payload.data()),
                                   block->payload.size());
    block->payload = {};
    contents.blocks.push_back(*block);
  }
}

// Finds, reads and verifies the newest snapshot.
inline Status CheckNewestSnapshot(FileSystem& fs, const std::string& directory) {
  AP_ASSIGN_OR_RETURN(const std::string folder, FindNewestSnapshot(fs, directory));
  AP_ASSIGN_OR_RETURN(const SnapshotManifest manifest, ReadManifest(fs, folder));
  return VerifySnapshot(fs, folder, manifest);
}

}  // namespace antiphon
