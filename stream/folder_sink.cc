#include <cstdio>
#include <span>

#include "common/base/crc32c.h"
#include "stream/folder_stream.h"
#include "stream/record_sink.h"
#include "stream/segment_list.h"

namespace antiphon {
namespace {

constexpr size_t kWriteBytes = 256 << 10;

template <typename Number>
void AppendLittleEndian(Number number, std::string& out) {
  for (size_t i = 0; i < sizeof(Number); ++i) {
    out += static_cast<char>(number >> (8 * i) & 0xff);
  }
}

uint32_t MaskedCrc(std::string_view bytes) {
  const uint32_t crc = Crc32c(std::as_bytes(std::span(bytes)));
  return (crc >> 15 | crc << 17) + 0xa282ead8U;
}

class FolderSink final : public RecordSink {
 public:
  FolderSink(const FolderSinkOptions& options, uint64_t next, FileSystem& fs)
      : options_(options), fs_(fs), next_(next) {}

  Status Append(std::string_view record) override {
    AppendFramed(record, options_.framing, pending_);
    if (pending_.size() >= kWriteBytes) {
      AP_RETURN_IF_ERROR(Write());
    }
    return written_ + pending_.size() >= options_.segment_bytes ? Flush() : Status();
  }

  Status Flush() override {
    AP_RETURN_IF_ERROR(Write());
    if (file_ == nullptr) {
      return Status();
    }
    AP_RETURN_IF_ERROR(file_->Sync());
    AP_RETURN_IF_ERROR(file_->Close());
    file_.reset();
    written_ = 0;
    char name[48];
    std::snprintf(name, sizeof name, "/segment-%06llu", static_cast<unsigned long long>(next_++));
    AP_RETURN_IF_ERROR(fs_.Rename(UnfinishedPath(), options_.folder + name + options_.suffix));
    return fs_.SyncDirectory(options_.folder);
  }

 private:
  std::string UnfinishedPath() const { return options_.folder + "/.unfinished"; }

  Status Write() {
    if (pending_.empty()) {
      return Status();
    }
    if (file_ == nullptr) {
      AP_ASSIGN_OR_RETURN(file_, fs_.Create(UnfinishedPath()));
    }
    AP_RETURN_IF_ERROR(file_->Append(std::as_bytes(std::span(pending_))));
    written_ += pending_.size();
    pending_.clear();
    return Status();
  }

  const FolderSinkOptions options_;
  FileSystem& fs_;
  uint64_t next_;  // number of the segment that is written
  std::unique_ptr<WritableFile> file_;
  std::string pending_;
  uint64_t written_ = 0;
};

}  // namespace

void AppendFramed(std::string_view record, Framing framing, std::string& out) {
  switch (framing) {
    case Framing::kQuotedLines:
    case Framing::kLines:
      out += record;
      out += '\n';
      return;
    case Framing::kTfRecord: {
      const size_t at = out.size();
      AppendLittleEndian(uint64_t{record.size()}, out);
      AppendLittleEndian(MaskedCrc(std::string_view(out).substr(at, 8)), out);
      out += record;
      AppendLittleEndian(MaskedCrc(record), out);
      return;
    }
    case Framing::kDelimited:
      for (size_t size = record.size(); true; size >>= 7) {
        out += static_cast<char>((size & 0x7f) | (size > 0x7f ? 0x80 : 0));
        if (size <= 0x7f) {
          break;
        }
      }
      out += record;
      return;
  }
}

StatusOr<std::unique_ptr<RecordSink>> MakeFolderSink(const FolderSinkOptions& options,
                                                     FileSystem& fs) {
  AP_RETURN_IF_ERROR(fs.MakeDirectories(options.folder));
  FolderStream all;
  all.set_pattern("segment-*");
  AP_ASSIGN_OR_RETURN(const SegmentList list, ListSegments(fs, options.folder, all));
  const uint64_t next = list.path_of_number.empty() ? 0 : list.path_of_number.rbegin()->first + 1;
  return std::unique_ptr<RecordSink>(new FolderSink(options, next, fs));
}

Status EndFolder(FileSystem& fs, const std::string& folder, const std::string& end_marker) {
  return WriteFileAtomically(fs, folder + "/" + end_marker, "");
}

}  // namespace antiphon
