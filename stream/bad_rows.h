// BadRows: the policy for rows that cannot be trained on: count, show a few, keep them aside, and
// stop the job when they are too many.
//
// Guarded: the thread that reads adds, the one that reports takes the counts.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/file_system.h"
#include "common/base/mutex.h"
#include "common/base/status.h"
#include "common/data/bad_row_reason.h"
#include "proto/metrics.pb.h"

namespace antiphon {

struct BadRowOptions {
  double max_bad_ratio = 0.01;
  std::string side_path;  // empty: rows are not kept
};

struct BadRow {
  BadRowReason reason = BadRowReason::kNone;
  std::string_view path;
  uint64_t record = 0;
  std::string_view text;
  bool is_repeat = false;  // an earlier epoch has met it: counted, not shown or kept again
};

class BadRows {
 public:
  BadRows(const BadRowOptions& options, FileSystem& fs) : options_(options), fs_(fs) {}

  void AddGood(uint64_t rows) AP_EXCLUDES(mu_);

  // Counts the row; the first ten are logged, by their hash: values may be private. An error when
  // the side file cannot be written, or when after at least 1,000 rows too many are bad.
  Status AddBad(const BadRow& row) AP_EXCLUDES(mu_);

  // The same test for a job that ends, however few rows it had.
  Status CheckAtEnd() AP_EXCLUDES(mu_);

  uint64_t rows_read() const AP_EXCLUDES(mu_);
  uint64_t count(BadRowReason reason) const AP_EXCLUDES(mu_);

  // Adds what came since the last call to `samples`, `bad_rows` and `bad_row_reasons`.
  void TakeCounts(MetricsDelta& delta) AP_EXCLUDES(mu_);

 private:
  using Counts = std::array<uint64_t, kBadRowReasonCount>;  // [kNone]: good rows

  static uint64_t Bad(const Counts& counts);
  Status CheckRatio() const AP_REQUIRES(mu_);
  Status Keep(const BadRow& row) AP_REQUIRES(mu_);

  const BadRowOptions options_;
  FileSystem& fs_;
  mutable Mutex mu_;
  Counts counts_ AP_GUARDED_BY(mu_) = {};
  Counts taken_ AP_GUARDED_BY(mu_) = {};
  int logged_ AP_GUARDED_BY(mu_) = 0;
  std::unique_ptr<WritableFile> side_file_ AP_GUARDED_BY(mu_);
};

}  // namespace antiphon
