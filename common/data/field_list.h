// FieldList: what a record says in one input field when it says it as a list, of texts or of
// numbers, instead of one text.
//
// A format that has lists (tf.Example, protobuf samples, slots) gives them as they are: a separator
// inside a text is a byte like any other, and numbers are never written out and read again.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace antiphon {

// How the columns of a batch read a field; several may read the same one.
struct FieldUse {
  bool as_text = false;     // one value: labels, times, scenes, expressions
  bool as_texts = false;    // the ids of a categorical feature
  bool as_numbers = false;  // a numeric feature

  bool any() const { return as_text || as_texts || as_numbers; }
};

struct FieldList {
  std::span<const std::string_view> texts;
  std::span<const double> numbers;

  bool empty() const { return texts.empty() && numbers.empty(); }
};

}  // namespace antiphon
