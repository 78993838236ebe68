// InputColumns: which columns of the input a part of a model reads. Frozen.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "models/model.h"

namespace antiphon {

class InputColumns {
 public:
  // The columns of one group; none where there is no group of this name.
  static InputColumns OfGroup(const InputShape& input, const std::string& group);
  // All but those of the groups with these names.
  static InputColumns Without(const InputShape& input, std::span<const std::string> groups);

  uint32_t width() const;

  // They side by side; width() > 0. A window where they lie together.
  template <typename T>
  Var<T> Of(const Pass<T>& pass, const Var<T>& input) const;

 private:
  struct Run {
    uint32_t begin = 0;
    uint32_t width = 0;
  };
  void Add(uint32_t begin, uint32_t end);

  std::vector<Run> runs_;  // ascending
};

}  // namespace antiphon
