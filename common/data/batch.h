// Batch: some consecutive samples of a partition, column by column.
//
// Built by one thread, then const. Row i of every column is the same sample. Everything is in the
// order of the job file: sparse columns of the categorical features, dense columns of the numeric
// ones, labels of the towers.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "common/base/types.h"

namespace antiphon {

// A label that is not known, and no number that a label can be. Never an operand: select by it, do
// not multiply.
inline constexpr float kUnknownLabel = std::numeric_limits<float>::lowest();

// A scene that the job does not list.
inline constexpr uint32_t kUnlistedScene = ~uint32_t{0};

// One categorical feature in compressed-sparse-row form. Values of row i: [offsets[i],
// offsets[i+1]). A value that reads no row (not in the vocabulary) is left out.
struct SparseColumn {
  std::vector<uint32_t> offsets;  // rows + 1
  std::vector<Key> keys;
  std::vector<float> weights;  // empty: every value weighs 1
};

struct Batch {
  PartitionId partition = 0;
  Position begin = 0;  // positions of the samples; bad rows have theirs, and streams have gaps
  Position end = 0;
  uint32_t records = 0;  // between them, bad ones included
  uint32_t rows = 0;
  std::vector<SparseColumn> sparse;
  uint32_t dense_width = 0;
  std::vector<float> dense;                // rows x dense_width, row-major
  std::vector<std::vector<float>> labels;  // [label][row], or kUnknownLabel
  std::vector<float> sample_weight;        // empty: all 1
  std::vector<uint32_t> scene;         // index or kUnlistedScene; empty: the job has no scene field
  std::vector<uint64_t> user;          // hash of the GAUC user field; empty: not asked for
  std::vector<int64_t> event_time_ms;  // empty: the job has no time field
  // Hash of the request field; empty: the job has none. Samples of a request stand together.
  std::vector<uint64_t> request;

  // Keeps the memory for the next batch.
  void Clear();
};

}  // namespace antiphon
