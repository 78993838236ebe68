// LabelExpression: a label worked out from the fields of a row, such as
//
//   play_time >= 18000 || (is_click == 1 && marital stat == "Never married")
//
// A comparison has a field's name on the left (blanks inside the name are fine) and a number or a
// "quoted text" on the right; texts know only == and !=. && binds tighter than ||. Frozen once
// parsed.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"

namespace antiphon {

enum class Truth : uint8_t {
  kFalse,
  kTrue,
  kUnknown,    // it depends on a number that is empty
  kBadNumber,  // a field that is compared with a number holds none
};

class LabelExpression {
 public:
  // Errors say at which character and what was expected. `field_names` are the known fields.
  static StatusOr<LabelExpression> Parse(std::string_view text,
                                         std::span<const std::string> field_names);

  // `values[i]` is the text of field i. An unknown part leaves the whole known where the other
  // part decides: unknown && false is false, unknown || true is true.
  Truth Evaluate(std::span<const std::string_view> values) const;

  // Indexes of the fields it reads, ascending, without repetition.
  std::vector<uint32_t> Fields() const;

 private:
  friend class LabelExpressionParser;
  enum class Kind : uint8_t { kAnd, kOr, kCompareNumber, kCompareText };
  enum class Comparison : uint8_t {
    kEqual,
    kNotEqual,
    kLess,
    kLessOrEqual,
    kGreater,
    kGreaterOrEqual
  };

  struct Node {
    Kind kind = Kind::kAnd;
    Comparison comparison = Comparison::kEqual;
    uint32_t field = 0;
    uint32_t left = 0;  // of kAnd and kOr: indexes of nodes
    uint32_t right = 0;
    double number = 0;
    std::string text;
  };

  Truth Evaluate(const Node& node, std::span<const std::string_view> values) const;
  static bool Compare(Comparison comparison, double left, double right);

  std::vector<Node> nodes_;  // children before parents; the last one is the root
};

}  // namespace antiphon
