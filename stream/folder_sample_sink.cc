#include <array>
#include <cstdio>

#include "stream/record_sink.h"
#include "stream/sample_sinks.h"

namespace antiphon {
namespace {

class FolderSampleSink final : public SampleSink {
 public:
  FolderSampleSink(const FolderSampleOptions& options, FileSystem& fs)
      : options_(options), fs_(fs) {}

  Status Publish(const SampleGroup& group) override {
    std::array<char, 40> name{};
    std::snprintf(name.data(), name.size(), "/samples-%08llu",
                  static_cast<unsigned long long>(group.number));
    const std::string path = options_.folder + name.data() + options_.suffix;
    AP_RETURN_IF_ERROR(fs_.MakeDirectories(options_.folder));
    if (fs_.Exists(path)) {
      // The rename may have been seen and not be on the disk yet.
      return fs_.SyncDirectory(options_.folder);
    }
    std::string text = options_.header;
    for (const std::string& record : group.records) {
      AppendFramed(record, options_.framing, text);
    }
    return WriteFileAtomically(fs_, path, text);
  }

  Status End() override {
    AP_RETURN_IF_ERROR(fs_.MakeDirectories(options_.folder));
    return EndFolder(fs_, options_.folder, options_.end_marker);
  }

 private:
  const FolderSampleOptions options_;
  FileSystem& fs_;
};

}  // namespace

std::unique_ptr<SampleSink> MakeFolderSampleSink(const FolderSampleOptions& options,
                                                 FileSystem& fs) {
  return std::make_unique<FolderSampleSink>(options, fs);
}

}  // namespace antiphon
