// SegmentList: the segments that a folder has at a moment, by number. Pure apart from the look at
// the disk.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "common/base/file_system.h"
#include "common/base/status.h"
#include "proto/stream.pb.h"

namespace antiphon {

struct SegmentList {
  std::map<uint64_t, std::string> path_of_number;
  bool has_end = false;  // the end marker was there before the folder was listed
};

// kInvalidArgument: a segment without a number, with too large a one, or two with the same. A
// folder that does not exist yet has no segments.
StatusOr<SegmentList> ListSegments(FileSystem& fs, const std::string& folder,
                                   const FolderStream& config);

// The last digits of a name, not counting what follows its first dot. kInvalidArgument: none.
StatusOr<uint64_t> SegmentNumber(std::string_view name);

}  // namespace antiphon
