// SegmentLog: an EventLog as a folder of segments that grows: FOLDER/segment-00000000.csv, ...
//
// A segment appears under its name when it is whole; a file END says that the folder is complete.
// Owned by one thread.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "common/base/file_system.h"
#include "simulation/event_log.h"

namespace antiphon {

class SegmentLog final : public EventLog {
 public:
  // `header` is the first line of each segment, with its end, or empty. Makes the folder.
  // kAlreadyExists: there is something in it.
  static StatusOr<std::unique_ptr<SegmentLog>> Create(const std::string& folder,
                                                      const std::string& header, FileSystem& fs);

  Status Append(std::string_view line) override;
  Status Commit() override;
  Status End() override;

 private:
  SegmentLog(std::string folder, std::string header, FileSystem& fs)
      : folder_(std::move(folder)), header_(std::move(header)), fs_(fs) {}

  const std::string folder_;
  const std::string header_;
  FileSystem& fs_;
  std::string text_;  // of the segment that is not yet written
  int segments_ = 0;
};

}  // namespace antiphon
