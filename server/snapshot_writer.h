// SnapshotWriter: the thread of a server that writes and syncs the snapshot files of all its lanes,
// so that no lane ever waits for the disk.
//
// A lane hands over blocks through a queue of a few megabytes and learns by TrySubmit that it is
// full; it is woken when half of the queue is free. More than a few would not make the disk faster,
// and would push the rows that are trained out of the caches. Any thread may call a SnapshotWriter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/bounded_queue.h"
#include "common/base/file_system.h"
#include "common/base/mutex.h"
#include "common/base/status.h"
#include "common/base/thread.h"
#include "common/ckpt/lane_block.h"
#include "common/ckpt/lane_file_writer.h"
#include "common/net/transport.h"
#include "proto/snapshot.pb.h"

namespace antiphon {

// One file on its way to the disk. Where it goes is constant; the rest is guarded, but for the
// LaneFileWriter, which only the writer's thread uses.
class LaneFile {
 public:
  // `waker` ends the wait of the lane when the writer has room again, and when there is a result;
  // null: nobody waits.
  LaneFile(std::string directory, std::string name, LaneFileHeader header,
           std::shared_ptr<Waker> waker)
      : directory_(std::move(directory)),
        name_(std::move(name)),
        header_(std::move(header)),
        waker_(std::move(waker)) {}

  std::string path() const { return directory_ + "/" + name_; }

  // The file as it lies on the disk, durable, or what went wrong: known before the end, so that
  // nobody needs to go on. Nothing while all is well and unfinished.
  std::optional<StatusOr<SnapshotFile>> result() const AP_EXCLUDES(mu_);

 private:
  friend class SnapshotWriter;

  void SetResult(StatusOr<SnapshotFile> result) AP_EXCLUDES(mu_);

  const std::string directory_;
  const std::string name_;
  const LaneFileHeader header_;
  const std::shared_ptr<Waker> waker_;
  std::unique_ptr<LaneFileWriter> writer_;  // the writer's thread's; null before and after
  mutable Mutex mu_;
  std::optional<StatusOr<SnapshotFile>> result_ AP_GUARDED_BY(mu_);
};

// A piece of work: what comes next of a file, in the order that LaneFileWriter asks for. kEnd ends
// the file; its payload is not used. The first piece of a file begins it.
struct WritePiece {
  std::shared_ptr<LaneFile> file;
  BlockKind kind = BlockKind::kEnd;
  uint32_t subject = 0;
  uint32_t index = 0;
  uint32_t count = 0;
  std::vector<std::byte> payload;
};

class SnapshotWriter {
 public:
  // kInline does the work inside TrySubmit, for tests and simulations that have one thread.
  enum class Mode { kThread, kInline };
  // Pieces that may wait; a piece has about kBlockTargetBytes.
  static constexpr size_t kMaxPieces = 16;

  SnapshotWriter(FileSystem& fs, Mode mode);
  ~SnapshotWriter() { Stop(); }

  // False when there is no room now; `piece` is then left as it was, and its file's waker will say
  // when to try again.
  bool TrySubmit(WritePiece& piece) AP_EXCLUDES(mu_);

  // An empty buffer for a payload. Its memory has been used before, unless there is none such: a
  // snapshot need not ask the system for what the one before gave back.
  std::vector<std::byte> TakeBuffer() AP_EXCLUDES(mu_);

  // Does what has been submitted and ends. May be called twice.
  void Stop();

 private:
  void Run();
  void Work(WritePiece& piece);
  void GiveBack(std::vector<std::byte> buffer) AP_EXCLUDES(mu_);
  void WakeRefused() AP_EXCLUDES(mu_);
  Status Write(LaneFile& file, const WritePiece& piece);

  FileSystem& fs_;
  const Mode mode_;
  BoundedQueue<WritePiece> queue_;
  Mutex mu_;
  std::vector<std::vector<std::byte>> buffers_ AP_GUARDED_BY(mu_);
  std::vector<std::shared_ptr<Waker>> refused_ AP_GUARDED_BY(mu_);  // of who found no room
  Thread thread_;
};

}  // namespace antiphon
