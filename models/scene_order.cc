#include "models/scene_order.h"

#include <algorithm>
#include <numeric>

#include "common/base/logging.h"

namespace antiphon {

void SceneOrder::Sort(const Batch& batch, RowGrouping grouping) {
  rows_.resize(batch.rows);
  scenes_.clear();
  if (grouping == RowGrouping::kNone || batch.scene.empty()) {
    std::iota(rows_.begin(), rows_.end(), 0U);
    return;
  }
  uint32_t scenes = 0;  // that are known
  for (const uint32_t scene : batch.scene) {
    scenes = scene == kUnlistedScene ? scenes : std::max(scenes, scene + 1);
  }
  count_.assign(scenes + 1, 0);
  for (const uint32_t scene : batch.scene) {
    ++count_[std::min(scene, scenes)];
  }
  uint32_t begin = 0;
  for (uint32_t scene = 0; scene <= scenes; ++scene) {
    const uint32_t rows = count_[scene];
    if (rows > 0) {
      scenes_.push_back({scene == scenes ? kUnlistedScene : scene, begin, rows});
    }
    count_[scene] = begin;  // from here on: where the scene's next row goes
    begin += rows;
  }
  for (uint32_t row = 0; row < batch.rows; ++row) {
    rows_[count_[std::min(batch.scene[row], scenes)]++] = row;
  }
}

uint32_t SceneOrder::SceneEnd(uint32_t begin) const {
  for (const SceneRows& scene : scenes_) {
    if (begin < scene.begin + scene.rows) {
      return scene.begin + scene.rows;
    }
  }
  return static_cast<uint32_t>(rows_.size());
}

void SceneOrder::CutScenes(uint32_t begin, uint32_t rows, std::vector<SceneRows>& out) const {
  out.clear();
  for (const SceneRows& scene : scenes_) {
    const uint32_t from = std::max(begin, scene.begin);
    const uint32_t to = std::min(begin + rows, scene.begin + scene.rows);
    if (from < to) {
      out.push_back({scene.scene, from - begin, to - from});
    }
  }
}

}  // namespace antiphon
