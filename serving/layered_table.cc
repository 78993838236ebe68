#include "serving/layered_table.h"

#include <algorithm>
#include <array>
#include <utility>

namespace antiphon {
namespace {

constexpr size_t kKeysAtOnce = RowOverlay::kKeysAtOnce;
static_assert(kKeysAtOnce <= EmbTable::kKeysAtOnce);

}  // namespace

LayeredTable LayeredTable::After(const RowChanges& changes) const {
  LayeredTable next = *this;
  next.rows_ += changes.keys.size() - CountThere(changes.keys);
  next.rows_ -= CountThere(changes.removed);
  next.changed_ = changed_ != nullptr ? changed_->Apply(changes)
                                      : RowOverlay(base_->header().row_bytes()).Apply(changes);
  return next;
}

uint64_t LayeredTable::CountThere(std::span<const Key> keys) const {
  uint64_t there = 0;
  std::array<const std::byte*, kKeysAtOnce> places;
  for (size_t first = 0; first < keys.size(); first += kKeysAtOnce) {
    const size_t count = std::min(kKeysAtOnce, keys.size() - first);
    FindSome(keys.subspan(first, count), places.data());
    there +=
        count - static_cast<size_t>(std::count(places.begin(), places.begin() + count, nullptr));
  }
  return there;
}

void LayeredTable::FindSome(std::span<const Key> keys, const std::byte** places) const {
  std::array<Key, kKeysAtOnce> rest;  // keys that did not change
  std::array<size_t, kKeysAtOnce> of_rest;
  std::array<uint32_t, kKeysAtOnce> rows;
  std::fill_n(places, keys.size(), nullptr);
  if (changed_ != nullptr) {
    changed_->Find(keys, places);
  }
  size_t count = 0;
  for (size_t i = 0; i < keys.size(); ++i) {
    if (places[i] == nullptr) {
      rest[count] = keys[i];
      of_rest[count++] = i;
    } else if (places[i] == RowOverlay::gone()) {
      places[i] = nullptr;
    }
  }
  base_->FindSome(std::span(rest).first(count), rows.data());
  for (size_t i = 0; i < count; ++i) {
    if (rows[i] != EmbTable::kNoRow) {
      places[of_rest[i]] = base_->row_bytes(rows[i]);
    }
  }
}

bool LayeredTable::CopyRow(Key key, float* weights) const {
  const std::byte* place = nullptr;
  FindSome({&key, 1}, &place);
  if (place == nullptr) {
    return false;
  }
  DecodeRow(precision(), place, {weights, dim()});
  return true;
}

size_t LayeredTable::Lookup(std::span<const Key> keys, float* weights) const {
  if (changed_ == nullptr) {
    return base_->Lookup(keys, weights);
  }
  const size_t width = dim();
  size_t found = 0;
  std::array<const std::byte*, kKeysAtOnce> places;
  for (size_t first = 0; first < keys.size(); first += kKeysAtOnce) {
    const size_t count = std::min(kKeysAtOnce, keys.size() - first);
    FindSome(keys.subspan(first, count), places.data());
    for (size_t i = 0; i < count; ++i) {
      float* out = weights + (first + i) * width;
      if (places[i] == nullptr) {
        std::fill_n(out, width, 0.0F);
      } else {
        DecodeRow(precision(), places[i], {out, width});
        ++found;
      }
    }
  }
  return found;
}

}  // namespace antiphon
