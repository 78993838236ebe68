// Runs of equal values, one after the other. Pure.
#pragma once

#include <cstddef>

namespace antiphon {

// Calls visit(begin, end) for every longest run of equal values among values[0, count).
template <typename T, typename Visit>
void ForEachRun(const T* values, size_t count, Visit visit) {
  for (size_t begin = 0; begin < count;) {
    size_t end = begin + 1;
    while (end < count && values[end] == values[begin]) {
      ++end;
    }
    visit(begin, end);
    begin = end;
  }
}

}  // namespace antiphon
