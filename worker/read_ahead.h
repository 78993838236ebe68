// ReadAhead: reads and prepares batches on a thread of its own, a few ahead of the training.
//
// The training thread starts partitions and takes batches; the reading thread fills them. They meet
// in bounded queues, so at most `depth` batches wait, and batches come back to be filled again.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "common/base/bounded_queue.h"
#include "common/base/mutex.h"
#include "common/base/thread.h"
#include "common/net/transport.h"
#include "stream/bad_rows.h"
#include "stream/sample_source.h"
#include "worker/batch_feed.h"

namespace antiphon {

class ReadAhead final : public BatchFeed {
 public:
  // `waker` belongs to the training thread's endpoint: it is woken when a batch is ready. The
  // source adds to `bad_rows`.
  ReadAhead(std::unique_ptr<SampleSource> source, BatchPreparer preparer, size_t depth,
            std::shared_ptr<Waker> waker, std::unique_ptr<BadRows> bad_rows);
  ~ReadAhead() override;

  void Start(PartitionId partition, Position from, std::vector<Position> cuts) override;
  void Stop() override { Forget(); }
  bool wants_to_yield() const override { return wants_to_yield_.load() == generation_.load(); }
  void LetYield() override { may_yield_.store(generation_.load()); }
  StatusOr<Outcome> Next(std::unique_ptr<PreparedBatch>& batch) override;
  void TakeBadRows(MetricsDelta& delta) override { bad_rows_->TakeCounts(delta); }
  Status Finish() override { return bad_rows_->CheckAtEnd(); }
  SourceReport report() const override AP_EXCLUDES(mu_);
  void Recycle(std::unique_ptr<PreparedBatch> batch) override;

 private:
  struct Command {
    uint64_t generation = 0;
    PartitionId partition = 0;
    Position from = 0;
    std::vector<Position> cuts;
  };
  // A batch, why there is none, or the error that ends the partition.
  struct Item {
    uint64_t generation = 0;
    Outcome outcome = Outcome::kBatch;
    std::unique_ptr<PreparedBatch> batch;
    Status status;
  };

  // Makes what is being read pointless. Returns the generation from now on.
  uint64_t Forget();
  void Read();
  void ReadPartition(const Command& command);
  // Reads and hands over batches until there are no more in this lease, and says why.
  StatusOr<Outcome> ReadBatches(const Command& command);
  bool Hand(Item item);
  std::unique_ptr<PreparedBatch> FreeBatch();

  const std::unique_ptr<BadRows> bad_rows_;
  std::unique_ptr<SampleSource> source_;  // the reading thread's
  BatchPreparer preparer_;                // the reading thread's
  const std::shared_ptr<Waker> waker_;

  // The newest Start; what was read for an older one is thrown away.
  std::atomic<uint64_t> generation_{0};
  // The Start whose partition has had its share, and the one that may end for that reason.
  std::atomic<uint64_t> wants_to_yield_{0};
  std::atomic<uint64_t> may_yield_{0};
  BoundedQueue<Command> commands_;
  BoundedQueue<Item> ready_;
  BoundedQueue<std::unique_ptr<PreparedBatch>> free_;

  mutable Mutex mu_;
  SourceReport report_ AP_GUARDED_BY(mu_);

  Thread thread_;
};

}  // namespace antiphon
