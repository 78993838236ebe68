// FolderSink: samples as segments of a folder that grows, one a commit.
//
// A segment has the number of its group in its name and appears when it is whole; one that is
// there already is not written again. A file END follows the last one. Owned by one thread.
#pragma once

#include <string>
#include <utility>

#include "common/base/file_system.h"
#include "join/event_reader.h"

namespace antiphon {

class FolderSink final : public SampleSink {
 public:
  // `header` is the first line of every segment, with its end, or empty.
  FolderSink(std::string folder, std::string header, FileSystem& fs)
      : folder_(std::move(folder)), header_(std::move(header)), fs_(fs) {}

  Status Publish(const SampleGroup& group) override;
  Status End() override;

 private:
  std::string folder_;
  std::string header_;
  FileSystem& fs_;
};

}  // namespace antiphon
