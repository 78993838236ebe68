// SceneOrder: the rows of a batch scene by scene, so that a scene's own network is given its rows
// as one block and no row goes through the network of another scene.
//
// Owned by one thread; keeps its memory from batch to batch.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/data/batch.h"

namespace antiphon {

// How a model wants the rows of a pass.
enum class RowGrouping {
  kNone,         // as they are in the batch
  kByScene,      // rows of a scene together
  kWholeScenes,  // and in training all of a scene's rows of the batch in one pass
};

// Rows [begin, begin + rows) of a pass are of one scene, which may be kUnlistedScene.
struct SceneRows {
  uint32_t scene = 0;
  uint32_t begin = 0;
  uint32_t rows = 0;
};

class SceneOrder {
 public:
  // Orders the rows of `batch`. With kNone, or without scenes, they stay where they are. Rows of
  // one scene keep their order; those of unknown scenes come last.
  void Sort(const Batch& batch, RowGrouping grouping);

  // Place i of the order is row rows()[i] of the batch.
  std::span<const uint32_t> rows() const { return rows_; }

  // The end of the block of rows of one scene that place `begin` is in.
  uint32_t SceneEnd(uint32_t begin) const;

  // The scenes of places [begin, begin + rows), counted from `begin`. Nothing with kNone.
  void CutScenes(uint32_t begin, uint32_t rows, std::vector<SceneRows>& out) const;

 private:
  std::vector<uint32_t> rows_;
  std::vector<uint32_t> count_;    // by scene, the unknown ones last
  std::vector<SceneRows> scenes_;  // of the whole batch, without empty ones
};

}  // namespace antiphon
