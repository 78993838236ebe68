#include "models/input_columns.h"

#include <algorithm>

#include "models/tape/column_ops.h"

namespace antiphon {

void InputColumns::Add(uint32_t begin, uint32_t end) {
  if (begin < end) {
    runs_.push_back({begin, end - begin});
  }
}

InputColumns InputColumns::OfGroup(const InputShape& input, const std::string& group) {
  InputColumns columns;
  for (const InputGroup& one : input.groups) {
    if (one.name == group) {
      columns.Add(one.begin, one.begin + one.width);
    }
  }
  return columns;
}

InputColumns InputColumns::Without(const InputShape& input, std::span<const std::string> groups) {
  InputColumns columns;
  uint32_t begin = 0;
  for (const InputGroup& one : input.groups) {
    if (std::find(groups.begin(), groups.end(), one.name) != groups.end()) {
      columns.Add(begin, one.begin);
      begin = one.begin + one.width;
    }
  }
  columns.Add(begin, input.width);
  return columns;
}

uint32_t InputColumns::width() const {
  uint32_t width = 0;
  for (const Run& run : runs_) {
    width += run.width;
  }
  return width;
}

template <typename T>
Var<T> InputColumns::Of(const Pass<T>& pass, const Var<T>& input) const {
  if (runs_.size() == 1) {
    return SliceColumns(input, runs_[0].begin, runs_[0].width);
  }
  const std::span<Var<T>> parts = pass.NewVars(runs_.size());
  for (size_t i = 0; i < runs_.size(); ++i) {
    parts[i] = SliceColumns(input, runs_[i].begin, runs_[i].width);
  }
  return ConcatColumns<T>(pass.tape, parts);
}

template Var<float> InputColumns::Of(const Pass<float>&, const Var<float>&) const;
template Var<double> InputColumns::Of(const Pass<double>&, const Var<double>&) const;

}  // namespace antiphon
