#include "server/snapshot_writer.h"

#include <algorithm>
#include <thread>
#include <utility>

namespace antiphon {

std::optional<StatusOr<SnapshotFile>> LaneFile::result() const {
  MutexLock lock(mu_);
  return result_;
}

void LaneFile::SetResult(StatusOr<SnapshotFile> result) {
  {
    MutexLock lock(mu_);
    result_ = std::move(result);
  }
  if (waker_ != nullptr) {
    waker_->Wake();
  }
}

SnapshotWriter::SnapshotWriter(FileSystem& fs, Mode mode)
    : fs_(fs), mode_(mode), queue_(kMaxPieces) {
  if (mode == Mode::kThread) {
    thread_ = Thread("snapshots", [this] { Run(); });
  }
}

bool SnapshotWriter::TrySubmit(WritePiece& piece) {
  if (mode_ == Mode::kInline) {
    Work(piece);
    return true;
  }
  if (queue_.TryPush(piece)) {
    return true;
  }
  {
    MutexLock lock(mu_);
    if (std::ranges::find(refused_, piece.file->waker_) == refused_.end()) {
      refused_.push_back(piece.file->waker_);
    }
  }
  // The writer may have found nobody to wake in the meantime.
  return queue_.TryPush(piece);
}

std::vector<std::byte> SnapshotWriter::TakeBuffer() {
  MutexLock lock(mu_);
  if (buffers_.empty()) {
    return {};
  }
  std::vector<std::byte> buffer = std::move(buffers_.back());
  buffers_.pop_back();
  return buffer;
}

void SnapshotWriter::GiveBack(std::vector<std::byte> buffer) {
  buffer.clear();
  const bool is_worth_keeping = buffer.capacity() > 0 && buffer.capacity() <= kBlockTargetBytes;
  MutexLock lock(mu_);
  if (is_worth_keeping && buffers_.size() < kMaxPieces) {
    buffers_.push_back(std::move(buffer));
  }
}

void SnapshotWriter::Stop() {
  queue_.Close();
  thread_.Join();
}

void SnapshotWriter::Run() {
  while (std::optional<WritePiece> piece = queue_.Pop()) {
    Work(*piece);
    // Summing and copying a piece takes some 40 us, and whoever is to answer a request on this
    // processor need not wait for more than one of them.
    std::this_thread::yield();
    if (queue_.size() <= kMaxPieces / 2) {
      WakeRefused();
    }
  }
}

void SnapshotWriter::WakeRefused() {
  std::vector<std::shared_ptr<Waker>> refused;
  {
    MutexLock lock(mu_);
    refused.swap(refused_);
  }
  for (const std::shared_ptr<Waker>& waker : refused) {
    if (waker != nullptr) {
      waker->Wake();
    }
  }
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
  GiveBack(std::move(piece.payload));
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
