// RowOverlay: the rows of a table that changed since its file was written, and the keys whose rows
// went since.
//
// A hash of the key names a bucket, one piece of memory with the keys and rows of about a dozen
// changes. An overlay never changes: Apply makes the next one, which shares every bucket that no
// change falls into. Rows stay as files have them (serving/row_codec.h).
// Frozen: any thread may read, and what is no longer the newest stays whole for those who hold it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "common/base/types.h"

namespace antiphon {

// What a step does to a table.
struct RowChanges {
  std::span<const Key> keys;          // distinct
  const std::byte* rows = nullptr;    // of these keys, one behind the other
  std::span<const Key> removed = {};  // distinct, none of them among `keys`
};

class RowOverlay {
 public:
  // How many keys may be looked for at the same time.
  static constexpr size_t kKeysAtOnce = 32;

  // Nothing has changed yet.
  explicit RowOverlay(size_t row_bytes);

  // This overlay with more changes, the later of a key winning. What is given is copied.
  std::shared_ptr<const RowOverlay> Apply(const RowChanges& changes) const;

  // places[i] becomes the row of keys[i], gone() where it was removed, null where nothing changed.
  // At most kKeysAtOnce keys; what a place names is asked for from memory.
  void Find(std::span<const Key> keys, const std::byte** places) const;
  static const std::byte* gone() { return &kGone; }

  uint64_t rows() const { return rows_; }        // that changed
  uint64_t removed() const { return removed_; }  // that went
  uint64_t bytes() const { return bytes_; }      // of memory, buckets shared with others too

 private:
  // One number that says how many rows and how many removed keys there are, these keys, and then
  // the rows. Null: an empty bucket.
  using Bucket = std::shared_ptr<const uint64_t[]>;
  struct View;
  struct Change {
    uint64_t bucket = 0;
    Key key = 0;
    const std::byte* row = nullptr;  // null: removed
  };

  static const std::byte kGone;

  size_t BucketOf(Key key) const;
  View Look(const uint64_t* words) const;
  std::vector<Change> Sorted(const RowChanges& changes) const;
  // As many buckets as `entries` ask for, with what is in this one's.
  std::shared_ptr<RowOverlay> Grown(uint64_t entries) const;
  void ApplySorted(std::span<const Change> changes);
  // A bucket with what `old` has and `changes` do not name, and what these bring.
  Bucket Merge(const Bucket& old, std::span<const Change> changes) const;
  void Count(const Bucket& bucket, int64_t sign);

  size_t row_bytes_;
  uint32_t shift_;  // of a hash, to the number of its bucket
  std::vector<Bucket> buckets_;
  uint64_t rows_ = 0;
  uint64_t removed_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace antiphon
