// InitialValues: what weights are before the first gradient.
//
// A value is a function of (seed, table or block, key or element) only. So replicas, replays, a
// restore and any number of servers start the same row with the same bits, and a dense block may be
// cut anywhere. Frozen: the same bits on every machine and in every release; any thread may call.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/status.h"
#include "common/base/types.h"
#include "proto/optimizer.pb.h"
#include "proto/parameters.pb.h"

namespace antiphon {

// The stream of numbers that belongs to one row, or to one dense block.
uint64_t RowStream(uint64_t seed, TableId table, Key key);
uint64_t BlockStream(uint64_t seed, BlockId block);

class InitialValues {
 public:
  InitialValues() = default;  // zeros

  // Refuses a negative deviation, an empty range and numbers that are not finite. A spec that
  // chooses nothing means zeros.
  static StatusOr<InitialValues> Create(const Initializer& spec);

  // Elements first, first + 1, ... of the stream.
  void Fill(uint64_t stream, uint64_t first, std::span<float> out) const;

 private:
  enum class Shape { kConstant, kUniform, kNormal };

  Shape shape_ = Shape::kConstant;
  float offset_ = 0;  // the constant, the lower end, the mean
  float scale_ = 0;   // the width of the range, the deviation
};

// Of the rows of a table, each segment of which may have its own. An element's number in the stream
// is its place in the row, so that a row of one segment starts as one without.
class InitialRows {
 public:
  // Fails where InitialValues does.
  static StatusOr<InitialRows> Create(const TableSpec& table);

  // row.size() is the table's dim.
  void Fill(uint64_t stream, std::span<float> row) const;

 private:
  struct Segment {
    uint32_t dim = 0;
    InitialValues values;
  };
  std::vector<Segment> segments_;
};

}  // namespace antiphon
