// RequestOrder: puts the samples of a batch in an order in which those of one request stand
// together, so that whoever compares them with each other finds them as a run of rows.
//
// Requests keep the order of their first sample, samples that of the batch within their request. A
// batch that has this order already is left as it is. Owned by one thread; keeps its memory.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "common/data/batch.h"

namespace antiphon {

class RequestOrder {
 public:
  // The batch has a request for every row, or none at all: then nothing happens.
  void Apply(Batch& batch);

 private:
  // Fills order_; false when it is the identity.
  bool FindOrder(const std::vector<uint64_t>& request);
  template <typename T>
  void Reorder(std::vector<T>& column, size_t width, std::vector<T>& scratch) const;
  void Reorder(SparseColumn& column);

  std::unordered_map<uint64_t, uint32_t> group_of_;
  std::vector<uint32_t> group_;  // of each row
  std::vector<uint32_t> next_;   // per group: where its next row goes
  std::vector<uint32_t> order_;  // which row comes where
  std::vector<float> floats_;
  std::vector<uint32_t> words_;
  std::vector<uint64_t> hashes_;
  std::vector<int64_t> times_;
  SparseColumn sparse_;
};

}  // namespace antiphon
