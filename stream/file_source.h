// FileSource: samples from the files of a training plan.
//
// Shuffling keeps positions meaningful: a training partition is cut into windows of
// shuffle_buffer_size positions, and inside window w position p stands for record perm(p), where
// the permutation depends on the job's seed, the partition and w alone. To start at any position
// it is enough to read the window around it. Evaluation is never shuffled.
//
// With a request field, batches end where requests do: one that the batch size would cut goes whole
// into the batch that it began in, unless that would double the batch.
//
// A file stays open between partitions, so that a packed one is unpacked once when its partitions
// are read in order. Owned by one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/base/file_system.h"
#include "common/base/status.h"
#include "common/data/batch_builder.h"
#include "common/data/request_order.h"
#include "proto/job.pb.h"
#include "proto/plan.pb.h"
#include "stream/bad_rows.h"
#include "stream/record_decoder.h"
#include "stream/record_reader.h"
#include "stream/record_window.h"
#include "stream/sample_source.h"

namespace antiphon {

class FileSource final : public SampleSource {
 public:
  // `folder` is that of the job file. All references outlive the source.
  static StatusOr<std::unique_ptr<FileSource>> Create(const Job& job, const TrainingPlan& plan,
                                                      const std::string& folder,
                                                      const LabelColumns& labels, FileSystem& fs,
                                                      BadRows& bad_rows);

  Status Open(PartitionId partition, Position from) override;
  StatusOr<ReadOutcome> NextBatch(Position cut, Batch& batch) override;

 private:
  struct OpenFile {
    std::unique_ptr<RecordReader> reader;
    std::unique_ptr<RecordDecoder> decoder;
    uint64_t last_use = 0;
  };

  FileSource(const Job& job, const TrainingPlan& plan, std::string folder, FileSystem& fs,
             BadRows& bad_rows);

  Position size() const;
  StatusOr<OpenFile*> FindFile(const std::string& path);
  // The file of the open partition, standing before `record`.
  StatusOr<OpenFile*> StandBefore(uint64_t record);
  Status LoadWindow(uint64_t window);
  // Reads the row at a position into row_, or says why it is none.
  StatusOr<BadRowReason> ReadRow(Position position);
  Status AddRow(Position position, Batch& batch);
  // Whether the row at a position is of the request of the batch's last row; a bad row is.
  StatusOr<bool> ContinuesRequest(Position position, const Batch& batch);

  const DataConfig& data_;
  const TrainingPlan& plan_;
  const uint64_t seed_;
  const std::string folder_;
  FileSystem& fs_;
  BadRows& bad_rows_;
  std::unique_ptr<BatchBuilder> builder_;
  RequestOrder request_order_;

  std::vector<std::unique_ptr<OpenFile>> files_;
  uint64_t uses_ = 0;

  PartitionId partition_ = 0;
  Position position_ = 0;
  uint64_t window_size_ = 0;  // positions; 0 before Open
  uint64_t window_ = 0;       // the one that is loaded
  OpenFile* window_file_ = nullptr;
  RecordWindow records_;
  DecodedRow row_;  // the row at hand
};

}  // namespace antiphon
