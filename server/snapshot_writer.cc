#include "server/snapshot_writer.h"

#include <utility>

namespace antiphon {

std::vector<std::byte> LaneFile::TakeBuffer() {
  MutexLock lock(mu_);
  if (buffers_.empty()) {
    return {};
  }
  std::vector<std::byte> buffer = std::move(buffers_.back());
  buffers_.pop_back();
  return buffer;
}

std::optional<StatusOr<SnapshotFile>> LaneFile::result() const {
  MutexLock lock(mu_);
  return result_;
}

void LaneFile::GiveBack(std::vector<std::byte> buffer) {
  buffer.clear();
  MutexLock lock(mu_);
  if (buffers_.size() < SnapshotWriter::kMaxPieces) {
    buffers_.push_back(std::move(buffer));
  }
}

void LaneFile::SetResult(StatusOr<SnapshotFile> result) {
  MutexLock lock(mu_);
  result_ = std::move(result);
}

SnapshotWriter::SnapshotWriter(FileSystem& fs, Mode mode)
    : fs_(fs), mode_(mode), queue_(kMaxPieces) {
  if (mode == Mode::kThread) {
    thread_ = Thread("snapshots", [this] {
      while (std::optional<WritePiece> piece = queue_.Pop()) {
        Work(*piece);
      }
    });
  }
}

bool SnapshotWriter::TrySubmit(WritePiece& piece) {
  if (mode_ == Mode::kThread) {
    return queue_.TryPush(piece);
  }
  Work(piece);
  return true;
}

void SnapshotWriter::Stop() {
  queue_.Close();
  thread_.Join();
}

void SnapshotWriter::Work(WritePiece& piece) {
  LaneFile& file = *piece.file;
  // After a failure the rest of the file is only taken off the queue.
  if (!file.result().has_value()) {
    if (const Status status = Write(file, piece); !status.ok()) {
      file.writer_.reset();
      file.SetResult(status);
    }
  }
  file.GiveBack(std::move(piece.payload));
  if (file.waker_ != nullptr) {
    file.waker_->Wake();
  }
}

Status SnapshotWriter::Write(LaneFile& file, const WritePiece& piece) {
  if (file.writer_ == nullptr) {
    // A request that was under way for long must not replace what a manifest has sealed since.
    if (fs_.Exists(file.path())) {
      return AlreadyExistsError(file.path() + " exists already; a snapshot is never written over");
    }
    AP_ASSIGN_OR_RETURN(file.writer_,
                        LaneFileWriter::Create(fs_, file.directory_, file.name_, file.header_));
  }
  if (piece.kind == BlockKind::kEnd) {
    AP_ASSIGN_OR_RETURN(SnapshotFile summary, file.writer_->Finish());
    file.writer_.reset();
    file.SetResult(std::move(summary));
    return Status();
  }
  return file.writer_->Append({.kind = piece.kind,
                               .subject = piece.subject,
                               .index = piece.index,
                               .count = piece.count,
                               .payload = piece.payload});
}

}  // namespace antiphon
