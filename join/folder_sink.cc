#include "join/folder_sink.h"

#include <array>
#include <cstdio>

namespace antiphon {

Status FolderSink::Publish(const SampleGroup& group) {
  std::array<char, 40> name{};
  std::snprintf(name.data(), name.size(), "/samples-%08llu.csv",
                static_cast<unsigned long long>(group.number));
  const std::string path = folder_ + name.data();
  AP_RETURN_IF_ERROR(fs_.MakeDirectories(folder_));
  if (fs_.Exists(path)) {
    // The rename may have been seen and not be on the disk yet.
    return fs_.SyncDirectory(folder_);
  }
  std::string text = header_;
  for (const std::string& record : group.records) {
    text += record;
    text += '\n';
  }
  return WriteFileAtomically(fs_, path, text);
}

Status FolderSink::End() {
  AP_RETURN_IF_ERROR(fs_.MakeDirectories(folder_));
  return WriteFileAtomically(fs_, folder_ + "/END", "");
}

}  // namespace antiphon
