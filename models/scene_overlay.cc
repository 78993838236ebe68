#include "models/scene_overlay.h"

#include <memory>

namespace antiphon {

SceneOverlay::SceneOverlay(const std::string& prefix, Form form, BlockId begin, BlockId end,
                           BlockList& blocks)
    : begin_(begin) {
  for (BlockId id = begin; id < end; ++id) {
    const bool is_factor = form == Form::kFactor && blocks.is_weights(id);
    const std::string name = prefix + blocks.specs()[id].name();
    changes_.push_back({blocks.AddLike(id, name, is_factor ? 1 : 0), is_factor});
  }
}

template <typename T>
Pass<T> SceneOverlay::Over(const Pass<T>& pass) const {
  Var<T>* blocks = pass.tape.template Scratch<Var<T>>(pass.blocks.size());
  std::uninitialized_copy(pass.blocks.begin(), pass.blocks.end(), blocks);
  for (size_t i = 0; i < changes_.size(); ++i) {
    const Change& change = changes_[i];
    const Var<T>& shared = pass.block(static_cast<BlockId>(begin_ + i));
    const Var<T>& own = pass.block(change.own);
    blocks[begin_ + i] =
        change.is_factor ? Multiply(pass.tape, shared, own) : Add(pass.tape, shared, own);
  }
  Pass<T> changed = pass;
  changed.blocks = {blocks, pass.blocks.size()};
  return changed;
}

template Pass<float> SceneOverlay::Over(const Pass<float>&) const;
template Pass<double> SceneOverlay::Over(const Pass<double>&) const;

}  // namespace antiphon
