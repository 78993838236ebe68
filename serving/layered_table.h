// LayeredTable: a table as a chain of versions makes it: the file of the version with all rows, and
// over it what the steps since then have changed.
//
// A value that is cheap to copy: the file and the changes are shared with the tables of the
// versions before and behind it, and go with the last of them. Frozen: any thread may read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "common/base/types.h"
#include "serving/emb_table.h"
#include "serving/row_overlay.h"

namespace antiphon {

class LayeredTable {
 public:
  explicit LayeredTable(std::shared_ptr<const EmbTable> base)
      : base_(std::move(base)), rows_(base_->rows()) {}

  // The table after a step. Its rows are as wide and as precise as the base's.
  LayeredTable After(const RowChanges& changes) const;

  uint32_t dim() const { return base_->dim(); }
  uint64_t rows() const { return rows_; }
  RowPrecision precision() const { return base_->header().precision; }
  // Rows and removed keys that are not as the base's file has them.
  uint64_t changes() const { return changed_ ? changed_->rows() + changed_->removed() : 0; }

  // `weights` has dim() floats; as they were, and false, for a key without a row.
  bool CopyRow(Key key, float* weights) const;
  // The rows of all keys, dim() floats each one behind the other; zeros where there is none.
  // Returns how many were found. Hides the latency of memory: faster than one key after the other.
  size_t Lookup(std::span<const Key> keys, float* weights) const;

 private:
  // Where the rows of at most RowOverlay::kKeysAtOnce keys lie; null for those that there are not.
  void FindSome(std::span<const Key> keys, const std::byte** places) const;
  uint64_t CountThere(std::span<const Key> keys) const;

  std::shared_ptr<const EmbTable> base_;
  std::shared_ptr<const RowOverlay> changed_;  // null: nothing is
  uint64_t rows_;
};

}  // namespace antiphon
