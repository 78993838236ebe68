#include "serving/export/row_filter.h"

#include <cmath>

#include "common/base/text.h"
#include "common/base/text_table.h"
#include "common/ckpt/row_score.h"

namespace antiphon {

StatusOr<RowFilter> RowFilter::Create(const SnapshotManifest& manifest, double min_score) {
  if (!std::isfinite(min_score) || min_score < 0) {
    return InvalidArgumentError("the lowest score of a served row is " + std::to_string(min_score) +
                                ", expected 0, for all rows, or more");
  }
  RowFilter filter;
  filter.min_score_ = min_score;
  filter.now_ = RowSecondsFromUnix(manifest.created_seconds());
  bool any_scores = false;
  for (const TableSpec& table : manifest.plan().schema().tables()) {
    filter.tables_.push_back(
        {.has_scores = table.row_policy().has_eviction(), .policy = table.row_policy().eviction()});
    any_scores |= filter.tables_.back().has_scores;
  }
  if (min_score > 0 && !any_scores) {
    return InvalidArgumentError(
        "rows of this model have no scores to be left out by: no feature of its job has a "
        "row_policy { eviction { } }; train with one, or export every row");
  }
  return filter;
}

bool RowFilter::Serves(TableId table, const RowHistory& row) const {
  return min_score_ == 0 || !tables_[table].has_scores ||
         RowScore(row, tables_[table].policy, now_) >= min_score_;
}

std::string FilterText(const FrozenModel& model, const Signature& signature) {
  TextTable text({"TABLE", "ROWS TRAINED", "ROWS SERVED", "SHARE"}, 1);
  for (int i = 0; i < signature.tables_size(); ++i) {
    const ServedTable& table = signature.tables(i);
    const uint64_t trained = model.row_count(static_cast<TableId>(i));
    const double share =
        trained == 0 ? 1 : static_cast<double>(table.rows()) / static_cast<double>(trained);
    text.AddRow({table.name(), std::to_string(trained), std::to_string(table.rows()),
                 FormatFixed(100 * share, 1) + " %"});
  }
  return text.ToString();
}

}  // namespace antiphon
