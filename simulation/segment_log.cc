#include "simulation/segment_log.h"

#include <array>
#include <cstdio>
#include <vector>

namespace antiphon {

StatusOr<std::unique_ptr<SegmentLog>> SegmentLog::Create(const std::string& folder,
                                                         const std::string& header,
                                                         FileSystem& fs) {
  AP_RETURN_IF_ERROR(fs.MakeDirectories(folder));
  AP_ASSIGN_OR_RETURN(const std::vector<std::string> present, fs.List(folder));
  if (!present.empty()) {
    return AlreadyExistsError("folder " + folder + " is not empty (it has " + present.front() +
                              "); name another one");
  }
  return std::unique_ptr<SegmentLog>(new SegmentLog(folder, header, fs));
}

Status SegmentLog::Append(std::string_view line) {
  text_ += line;
  return Status();
}

Status SegmentLog::Commit() {
  if (text_.empty()) {
    return Status();
  }
  std::array<char, 40> name{};
  std::snprintf(name.data(), name.size(), "/segment-%08d.csv", segments_);
  AP_RETURN_IF_ERROR(WriteFileAtomically(fs_, folder_ + name.data(), header_ + text_));
  ++segments_;
  text_.clear();
  return Status();
}

Status SegmentLog::End() {
  AP_RETURN_IF_ERROR(Commit());
  return WriteFileAtomically(fs_, folder_ + "/END", "");
}

}  // namespace antiphon
