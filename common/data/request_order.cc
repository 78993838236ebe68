#include "common/data/request_order.h"

#include <algorithm>

namespace antiphon {

void RequestOrder::Apply(Batch& batch) {
  if (!FindOrder(batch.request)) {
    return;
  }
  for (SparseColumn& column : batch.sparse) {
    Reorder(column);
  }
  Reorder(batch.dense, batch.dense_width, floats_);
  for (std::vector<float>& label : batch.labels) {
    Reorder(label, 1, floats_);
  }
  Reorder(batch.sample_weight, 1, floats_);
  Reorder(batch.scene, 1, words_);
  Reorder(batch.user, 1, hashes_);
  Reorder(batch.event_time_ms, 1, times_);
  Reorder(batch.request, 1, hashes_);
}

bool RequestOrder::FindOrder(const std::vector<uint64_t>& request) {
  group_of_.clear();
  group_.clear();
  next_.clear();
  bool ordered = true;
  for (const uint64_t id : request) {
    const auto [entry, is_new] = group_of_.emplace(id, static_cast<uint32_t>(next_.size()));
    if (is_new) {
      next_.push_back(0);
    }
    ordered = ordered && (is_new || group_.back() == entry->second);
    group_.push_back(entry->second);
    ++next_[entry->second];
  }
  if (ordered) {
    return false;
  }
  uint32_t begin = 0;
  for (uint32_t& next : next_) {
    const uint32_t count = next;
    next = begin;
    begin += count;
  }
  order_.resize(group_.size());
  for (uint32_t row = 0; row < group_.size(); ++row) {
    order_[next_[group_[row]]++] = row;
  }
  return true;
}

template <typename T>
void RequestOrder::Reorder(std::vector<T>& column, size_t width, std::vector<T>& scratch) const {
  if (column.empty()) {
    return;
  }
  scratch.clear();
  for (const uint32_t row : order_) {
    const auto from = column.begin() + static_cast<ptrdiff_t>(row * width);
    scratch.insert(scratch.end(), from, from + static_cast<ptrdiff_t>(width));
  }
  column.swap(scratch);
}

void RequestOrder::Reorder(SparseColumn& column) {
  sparse_.offsets.assign(1, 0);
  sparse_.keys.clear();
  sparse_.weights.clear();
  for (const uint32_t row : order_) {
    const auto begin = static_cast<ptrdiff_t>(column.offsets[row]);
    const auto end = static_cast<ptrdiff_t>(column.offsets[row + 1]);
    sparse_.keys.insert(sparse_.keys.end(), column.keys.begin() + begin, column.keys.begin() + end);
    if (!column.weights.empty()) {
      sparse_.weights.insert(sparse_.weights.end(), column.weights.begin() + begin,
                             column.weights.begin() + end);
    }
    sparse_.offsets.push_back(static_cast<uint32_t>(sparse_.keys.size()));
  }
  std::swap(column, sparse_);
}

}  // namespace antiphon
