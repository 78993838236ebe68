// SceneOverlay: what one scene changes about a network that all scenes share.
//
// The network itself knows nothing of scenes: it runs in a pass whose blocks are the changed ones.
// A fresh overlay changes no bit, so a new scene starts as what the others share. Frozen.
#pragma once

#include <string>
#include <vector>

#include "models/block_list.h"
#include "models/model.h"

namespace antiphon {

class SceneOverlay {
 public:
  enum class Form {
    kDelta,   // W + D, D starts at 0
    kFactor,  // W * F element by element, F starts at 1; vectors b + d, as in kDelta
  };

  // Of the shared blocks [begin, end); its own are called `prefix` and their name.
  SceneOverlay(const std::string& prefix, Form form, BlockId begin, BlockId end, BlockList& blocks);

  // `pass` with the scene's blocks in the place of the shared ones.
  template <typename T>
  Pass<T> Over(const Pass<T>& pass) const;

 private:
  struct Change {
    BlockId own = 0;
    bool is_factor = false;
  };

  BlockId begin_;
  std::vector<Change> changes_;  // of begin_ and those behind it
};

}  // namespace antiphon
