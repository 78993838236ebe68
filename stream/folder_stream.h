// FolderStream: the records of a folder of segments that grows, the embedded stream.
//
// Whoever writes gives each segment a number in its name, one higher than that of the segment
// before, and lets it appear at once: by a rename, or by a ready marker. A position is
//
//   segment number << 40 | byte offset in the segment, unpacked,
//
// so that a plain segment is gone on with by a seek, and a packed one by unpacking to the same
// byte. Behind the last record of a whole segment the position is that of the next segment, so that
// a segment may be deleted once it is trained. A number that is missing while there is a higher one
// is waited for, like a broker that is away.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "stream/record_stream.h"

namespace antiphon {

inline constexpr int kSegmentOffsetBits = 40;
inline constexpr uint64_t kMaxSegmentNumber = (uint64_t{1} << 24) - 1;

StatusOr<std::unique_ptr<RecordStream>> MakeFolderStream(const DataConfig& data,
                                                         const RecordStreamOptions& options,
                                                         FileSystem& fs, Clock& clock);

// One partition a folder, in the order of the job.
StatusOr<std::vector<Partition>> PlanFolderStream(const StreamConfig& config,
                                                  const std::string& folder, FileSystem& fs);

// The first line of the first segment of a folder whose segments have one; nothing while there is
// no segment.
StatusOr<std::optional<std::string>> FirstHeader(const DataConfig& data, const std::string& folder,
                                                 FileSystem& fs);

}  // namespace antiphon
