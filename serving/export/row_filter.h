// RowFilter: which rows of a snapshot a version has.
//
// A row whose score, as of the snapshot's time, is below a limit is left out: its key then reads as
// zeros, as one does that training never met. Scores are those by which training forgets rows
// (common/ckpt/row_score.h), so only tables with a row_policy { eviction } have any; others are
// served whole. Immutable; any thread may ask.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/base/types.h"
#include "common/ckpt/row_history.h"
#include "proto/row_policy.pb.h"
#include "proto/serving.pb.h"
#include "proto/snapshot.pb.h"
#include "scoring/frozen_model.h"

namespace antiphon {

class RowFilter {
 public:
  // With a limit of 0 every row is served. kInvalidArgument: the limit is negative or no number, or
  // there is one and no table has scores.
  static StatusOr<RowFilter> Create(const SnapshotManifest& manifest, double min_score);

  bool Serves(TableId table, const RowHistory& row) const;

  // 0: there is no limit.
  double min_score() const { return min_score_; }
  bool HasScores(TableId table) const { return tables_[table].has_scores; }

 private:
  struct Table {
    bool has_scores = false;
    Eviction policy;
  };

  RowFilter() = default;

  double min_score_ = 0;
  uint32_t now_ = 0;  // in seconds of rows
  std::vector<Table> tables_;
};

// A line for each table, for people: its rows in the snapshot and in the version.
std::string FilterText(const FrozenModel& model, const Signature& signature);

}  // namespace antiphon
