#include "stream/bad_rows.h"

#include <cstdio>
#include <numeric>
#include <span>

#include "common/base/hash.h"
#include "common/base/logging.h"

namespace antiphon {
namespace {

constexpr int kLoggedRows = 10;
constexpr uint64_t kRowsBeforeRatio = 1000;

std::string Percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g %%", share * 100);
  return text;
}

}  // namespace

uint64_t BadRows::Bad(const Counts& counts) {
  return std::accumulate(counts.begin() + 1, counts.end(), uint64_t{0});
}

void BadRows::AddGood(uint64_t rows) {
  MutexLock lock(mu_);
  counts_[0] += rows;
}

Status BadRows::AddBad(const BadRow& row) {
  MutexLock lock(mu_);
  ++counts_[static_cast<size_t>(row.reason)];
  if (!row.is_repeat) {
    if (logged_ < kLoggedRows) {
      ++logged_;
      LOG(WARNING) << "bad row: " << row.path << ": record " << row.record + 1 << ": "
                   << BadRowReasonText(row.reason) << " (" << row.text.size() << " bytes, hash "
                   << std::hex << HashBytes(row.text) << std::dec << ")"
                   << (logged_ == kLoggedRows ? "; further ones are only counted" : "");
    }
    AP_RETURN_IF_ERROR(Keep(row));
  }
  return counts_[0] + Bad(counts_) < kRowsBeforeRatio ? Status() : CheckRatio();
}

// "reason <tab> file:record <tab> row", in one write, so that several workers may share the file.
Status BadRows::Keep(const BadRow& row) {
  if (options_.side_path.empty()) {
    return Status();
  }
  if (side_file_ == nullptr) {
    AP_ASSIGN_OR_RETURN(side_file_, fs_.OpenForAppend(options_.side_path));
  }
  std::string line(BadRowReasonText(row.reason));
  line += '\t';
  line += row.path;
  line += ':' + std::to_string(row.record + 1) + '\t';
  line += row.text;
  line += '\n';
  return side_file_->Append(std::as_bytes(std::span(line))).WithContext(options_.side_path);
}

Status BadRows::CheckAtEnd() {
  MutexLock lock(mu_);
  if (side_file_ != nullptr) {
    AP_RETURN_IF_ERROR(side_file_->Sync());
  }
  return CheckRatio();
}

Status BadRows::CheckRatio() const {
  const uint64_t bad = Bad(counts_);
  const uint64_t all = counts_[0] + bad;
  if (bad == 0 || static_cast<double>(bad) <= options_.max_bad_ratio * static_cast<double>(all)) {
    return Status();
  }
  std::string reasons;
  for (size_t i = 1; i < counts_.size(); ++i) {
    if (counts_[i] > 0) {
      reasons += (reasons.empty() ? "" : ", ") + std::to_string(counts_[i]) + " " +
                 std::string(BadRowReasonText(static_cast<BadRowReason>(i)));
    }
  }
  return DataLossError(std::to_string(bad) + " of " + std::to_string(all) + " rows are bad, " +
                       Percent(static_cast<double>(bad) / static_cast<double>(all)) +
                       ", expected at most data_config.max_bad_ratio, " +
                       Percent(options_.max_bad_ratio) + ": " + reasons);
}

uint64_t BadRows::rows_read() const {
  MutexLock lock(mu_);
  return counts_[0] + Bad(counts_);
}

uint64_t BadRows::count(BadRowReason reason) const {
  MutexLock lock(mu_);
  return counts_[static_cast<size_t>(reason)];
}

void BadRows::TakeCounts(MetricsDelta& delta) {
  MutexLock lock(mu_);
  uint64_t bad = 0;
  for (size_t i = 1; i < counts_.size(); ++i) {
    const uint64_t fresh = counts_[i] - taken_[i];
    if (fresh > 0) {
      bad += fresh;
      BadRowCount& entry = *delta.add_bad_row_reasons();
      entry.set_reason(std::string(BadRowReasonText(static_cast<BadRowReason>(i))));
      entry.set_count(fresh);
    }
  }
  delta.set_samples(delta.samples() + bad + counts_[0] - taken_[0]);
  delta.set_bad_rows(delta.bad_rows() + bad);
  taken_ = counts_;
}

}  // namespace antiphon
