#include "scheduler/journal.h"

#include <algorithm>
#include <limits>
#include <span>
#include <string_view>
#include <utility>

#include "common/base/logging.h"
#include "scheduler/event_record.h"
#include "scheduler/journal_thinning.h"

namespace antiphon {
namespace {

// As much as is ever read into memory.
constexpr uint64_t kMaxBytes = uint64_t{8} << 30;

std::string PlaceIn(const std::string& path, size_t offset) {
  return path + ", byte " + std::to_string(offset);
}

// Reads records from `bytes`; `good` is where the last whole one ends.
StatusOr<std::vector<JournalRecord>> ParseRecords(const std::string& path, std::string_view bytes,
                                                  size_t& good) {
  std::vector<JournalRecord> records;
  good = 0;
  while (good < bytes.size()) {
    const std::string_view rest = bytes.substr(good);
    // What a crash can leave: a record that ends early, or room that was never written.
    if (rest.find_first_not_of('\0') == std::string_view::npos) {
      return records;
    }
    const StatusOr<std::string_view> payload = ReadEventRecord(rest);
    if (payload.status().code() == StatusCode::kOutOfRange) {
      return records;
    }
    if (!payload.ok()) {
      return payload.status().WithContext(PlaceIn(path, good));
    }
    JournalRecord& record = records.emplace_back();
    if (!record.ParseFromArray(payload->data(), static_cast<int>(payload->size()))) {
      return DataLossError(PlaceIn(path, good) + ": the record cannot be parsed");
    }
    good += EventRecordBytes(payload->size());
  }
  return records;
}

}  // namespace

StatusOr<std::unique_ptr<Journal>> Journal::Open(FileSystem& fs, Clock& clock,
                                                 const std::string& path) {
  std::vector<JournalRecord> records;
  size_t good = 0;
  if (fs.Exists(path)) {
    AP_ASSIGN_OR_RETURN(const std::string bytes, ReadWholeFile(fs, path, kMaxBytes));
    AP_ASSIGN_OR_RETURN(records, ParseRecords(path, bytes, good));
    if (good < bytes.size()) {
      LOG(WARNING) << path << ": the last " << bytes.size() - good
                   << " bytes are a record that was cut short; they are dropped";
      AP_RETURN_IF_ERROR(WriteFileAtomically(fs, path, std::string_view(bytes).substr(0, good)));
    }
  } else {
    // The name itself reaches the disk.
    AP_RETURN_IF_ERROR(WriteFileAtomically(fs, path, ""));
  }
  AP_ASSIGN_OR_RETURN(std::unique_ptr<WritableFile> file, fs.OpenForAppend(path));
  return std::unique_ptr<Journal>(
      new Journal(fs, clock, path, std::move(file), good, std::move(records)));
}

void Journal::Note(JournalRecord record) {
  if (!status_.ok()) {
    return;
  }
  record.set_wall_seconds(clock_.WallSeconds());
  const std::string framed = EventRecord(record.SerializeAsString());
  status_ = file_->Append(std::as_bytes(std::span(framed.data(), framed.size())));
  if (status_.ok()) {
    status_ = file_->Sync();
  }
  bytes_ += framed.size();
}

Status Journal::Thin(std::vector<JournalRecord> sums) {
  AP_RETURN_IF_ERROR(status_);
  AP_ASSIGN_OR_RETURN(std::string bytes, ReadWholeFile(fs_, path_, kMaxBytes));
  size_t good = 0;
  AP_ASSIGN_OR_RETURN(std::vector<JournalRecord> records, ParseRecords(path_, bytes, good));
  bytes.clear();
  for (JournalRecord& record : sums) {
    record.set_wall_seconds(clock_.WallSeconds());
  }
  for (const JournalRecord& record : ThinOut(std::move(records), std::move(sums))) {
    bytes += EventRecord(record.SerializeAsString());
  }
  AP_RETURN_IF_ERROR(WriteFileAtomically(fs_, path_, bytes));
  // What is written to the old file from here on would be lost.
  StatusOr<std::unique_ptr<WritableFile>> file = fs_.OpenForAppend(path_);
  if (!file.ok()) {
    status_ = file.status();
    return status_;
  }
  file_ = *std::move(file);
  bytes_ = bytes.size();
  return Status();
}

}  // namespace antiphon
