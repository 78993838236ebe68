// Journal: what changed the scheduler's state, record after record, on disk before anybody is told.
//
// `length | crc | record | crc` as in EventRecord, each synced. It is an appended log and not a
// state that is written over, because the state is large (the sums of every metric) and changes in
// small steps many times a second. Now and then it is thinned out, see journal_thinning.h: a new
// file takes the old one's place, or the old one stays. A last record that is cut short was never
// answered to anybody: it is dropped when the file is opened again. A broken record anywhere else
// is an error that names the place.
//
// Owned by the scheduler's thread. Two processes must not open one journal: see
// common/base/file_lock.h.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/base/file_system.h"
#include "common/base/status.h"
#include "proto/journal.pb.h"

namespace antiphon {

// Who is told of every change.
class JournalSink {
 public:
  virtual ~JournalSink() = default;
  virtual void Note(JournalRecord record) = 0;
};

class Journal final : public JournalSink {
 public:
  // Reads what a journal at `path` has, if there is one, and goes on at its end.
  static StatusOr<std::unique_ptr<Journal>> Open(FileSystem& fs, Clock& clock,
                                                 const std::string& path);

  // Of the schedulers before this one; empty for the first. Moves them out.
  std::vector<JournalRecord> TakeRecords() { return std::move(records_); }

  // Adds the time, writes and syncs.
  void Note(JournalRecord record) override;

  // Why a record could not be written. Nothing is written after that, and nothing may be answered.
  const Status& status() const { return status_; }

  uint64_t bytes() const { return bytes_; }
  // Leaves out what the sums of all leases and reports so far make superfluous. On an error the
  // journal is as it was, or, when status() says so too, lost.
  Status Thin(std::vector<JournalRecord> sums);

 private:
  Journal(FileSystem& fs, Clock& clock, std::string path, std::unique_ptr<WritableFile> file,
          uint64_t bytes, std::vector<JournalRecord> records)
      : fs_(fs),
        clock_(clock),
        path_(std::move(path)),
        file_(std::move(file)),
        bytes_(bytes),
        records_(std::move(records)) {}

  FileSystem& fs_;
  Clock& clock_;
  const std::string path_;
  std::unique_ptr<WritableFile> file_;
  uint64_t bytes_ = 0;  // of the file
  std::vector<JournalRecord> records_;
  Status status_;
};

}  // namespace antiphon
