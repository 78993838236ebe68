#include "serving/row_overlay.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "common/base/hash.h"
#include "common/base/logging.h"

namespace antiphon {
namespace {

// On average, at most; between a quarter and a half of it once there are more buckets. More would
// make a step copy more rows that it does not touch, fewer more pointers to buckets.
constexpr uint64_t kEntriesPerBucket = 12;
constexpr size_t kFewestBuckets = 16;
constexpr size_t kLineWords = 8;  // of a line of the cache

}  // namespace

const std::byte RowOverlay::kGone = {};

struct RowOverlay::View {
  uint32_t row_count = 0;
  uint32_t removed_count = 0;
  const Key* keys = nullptr;  // of rows, then those that went
  const std::byte* rows = nullptr;
};

RowOverlay::RowOverlay(size_t row_bytes)
    : row_bytes_(row_bytes),
      shift_(64 - static_cast<uint32_t>(std::countr_zero(kFewestBuckets))),
      buckets_(kFewestBuckets) {}

size_t RowOverlay::BucketOf(Key key) const {
  return Mix64(key) >> shift_;
}

RowOverlay::View RowOverlay::Look(const uint64_t* words) const {
  if (words == nullptr) {
    return {};
  }
  View view = {.row_count = static_cast<uint32_t>(words[0]),
               .removed_count = static_cast<uint32_t>(words[0] >> 32),
               .keys = words + 1};
  view.rows = reinterpret_cast<const std::byte*>(view.keys + view.row_count + view.removed_count);
  return view;
}

// Three rounds, each reading what the one before asked for: where buckets lie, their keys, the row.
void RowOverlay::Find(std::span<const Key> keys, const std::byte** places) const {
  DCHECK_LE(keys.size(), kKeysAtOnce);
  std::array<const Bucket*, kKeysAtOnce> slot;
  std::array<const uint64_t*, kKeysAtOnce> words;
  for (size_t i = 0; i < keys.size(); ++i) {
    slot[i] = &buckets_[BucketOf(keys[i])];
    __builtin_prefetch(slot[i]);
  }
  for (size_t i = 0; i < keys.size(); ++i) {
    words[i] = slot[i]->get();
    __builtin_prefetch(words[i]);
    __builtin_prefetch(words[i] + kLineWords);
  }
  for (size_t i = 0; i < keys.size(); ++i) {
    const View view = Look(words[i]);
    const Key* end = view.keys + view.row_count + view.removed_count;
    const Key* found = std::find(view.keys, end, keys[i]);
    const auto place = static_cast<size_t>(found - view.keys);
    places[i] = nullptr;
    if (found != end) {
      places[i] = place < view.row_count ? view.rows + place * row_bytes_ : gone();
      __builtin_prefetch(places[i]);
    }
  }
}

std::shared_ptr<const RowOverlay> RowOverlay::Apply(const RowChanges& changes) const {
  const uint64_t entries = rows_ + removed_ + changes.keys.size() + changes.removed.size();
  std::shared_ptr<RowOverlay> next = entries > buckets_.size() * kEntriesPerBucket
                                         ? Grown(entries)
                                         : std::make_shared<RowOverlay>(*this);
  next->ApplySorted(next->Sorted(changes));
  return next;
}

std::vector<RowOverlay::Change> RowOverlay::Sorted(const RowChanges& changes) const {
  std::vector<Change> sorted;
  sorted.reserve(changes.keys.size() + changes.removed.size());
  for (size_t i = 0; i < changes.keys.size(); ++i) {
    sorted.push_back({.bucket = BucketOf(changes.keys[i]),
                      .key = changes.keys[i],
                      .row = changes.rows + i * row_bytes_});
  }
  for (const Key key : changes.removed) {
    sorted.push_back({.bucket = BucketOf(key), .key = key});
  }
  std::ranges::sort(sorted, {}, &Change::bucket);
  return sorted;
}

std::shared_ptr<RowOverlay> RowOverlay::Grown(uint64_t entries) const {
  auto grown = std::make_shared<RowOverlay>(row_bytes_);
  const size_t count = std::bit_ceil(std::max<uint64_t>(2 * entries / kEntriesPerBucket, 1));
  grown->buckets_.resize(std::max(count, kFewestBuckets));
  grown->shift_ = 64 - static_cast<uint32_t>(std::countr_zero(grown->buckets_.size()));
  std::vector<Change> all;
  all.reserve(rows_ + removed_);
  for (const Bucket& bucket : buckets_) {
    const View view = Look(bucket.get());
    for (uint32_t i = 0; i < view.row_count + view.removed_count; ++i) {
      const std::byte* row = i < view.row_count ? view.rows + i * row_bytes_ : nullptr;
      all.push_back({.bucket = grown->BucketOf(view.keys[i]), .key = view.keys[i], .row = row});
    }
  }
  std::ranges::sort(all, {}, &Change::bucket);
  grown->ApplySorted(all);
  return grown;
}

void RowOverlay::ApplySorted(std::span<const Change> changes) {
  while (!changes.empty()) {
    const auto other = std::ranges::find_if(
        changes, [first = changes[0].bucket](uint64_t b) { return b != first; }, &Change::bucket);
    const auto run = static_cast<size_t>(other - changes.begin());
    Bucket& bucket = buckets_[changes[0].bucket];
    Count(bucket, -1);
    bucket = Merge(bucket, changes.first(run));
    Count(bucket, 1);
    changes = changes.subspan(run);
  }
}

RowOverlay::Bucket RowOverlay::Merge(const Bucket& old, std::span<const Change> changes) const {
  const View view = Look(old.get());
  std::vector<Change> rows;
  std::vector<Key> removed;
  const auto add = [&](Key key, const std::byte* row) {
    if (row != nullptr) {
      rows.push_back({.key = key, .row = row});
    } else {
      removed.push_back(key);
    }
  };
  for (uint32_t i = 0; i < view.row_count + view.removed_count; ++i) {
    if (std::ranges::find(changes, view.keys[i], &Change::key) == changes.end()) {
      add(view.keys[i], i < view.row_count ? view.rows + i * row_bytes_ : nullptr);
    }
  }
  for (const Change& change : changes) {
    add(change.key, change.row);
  }
  const size_t keys = rows.size() + removed.size();
  const size_t row_words = (rows.size() * row_bytes_ + sizeof(uint64_t) - 1) / sizeof(uint64_t);
  const auto words = std::make_shared_for_overwrite<uint64_t[]>(1 + keys + row_words);
  words[0] = uint64_t{rows.size()} | uint64_t{removed.size()} << 32;
  auto* out = reinterpret_cast<std::byte*>(&words[0] + 1 + keys);
  for (size_t i = 0; i < rows.size(); ++i) {
    words[1 + i] = rows[i].key;
    std::memcpy(out + i * row_bytes_, rows[i].row, row_bytes_);
  }
  std::ranges::copy(removed, &words[0] + 1 + rows.size());
  return words;
}

void RowOverlay::Count(const Bucket& bucket, int64_t sign) {
  const View view = Look(bucket.get());
  const auto times = static_cast<uint64_t>(sign);  // adding -1 as an unsigned number subtracts
  rows_ += times * view.row_count;
  removed_ += times * view.removed_count;
  if (bucket != nullptr) {
    bytes_ += times * (sizeof(uint64_t) * (1 + view.row_count + view.removed_count) +
                       view.row_count * row_bytes_);
  }
}

}  // namespace antiphon
