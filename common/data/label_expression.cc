#include "common/data/label_expression.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "common/base/text.h"

namespace antiphon {

// Recursive descent over the text. Each Parse function returns the index of the node it made.
class LabelExpressionParser {
 public:
  LabelExpressionParser(std::string_view text, std::span<const std::string> field_names)
      : text_(text), field_names_(field_names) {}

  StatusOr<LabelExpression> Parse() {
    AP_RETURN_IF_ERROR(ParseChain(Kind::kOr).status());
    SkipBlanks();
    if (at_ != text_.size()) {
      return ErrorHere("expected &&, || or the end");
    }
    return std::move(result_);
  }

 private:
  using Kind = LabelExpression::Kind;
  using Comparison = LabelExpression::Comparison;
  using Node = LabelExpression::Node;

  static constexpr int kMaxDepth = 64;

  Status ErrorHere(const std::string& what) const {
    std::string got =
        at_ >= text_.size() ? "the end" : "\"" + std::string(text_.substr(at_, 20)) + "\"";
    return InvalidArgumentError("character " + std::to_string(at_ + 1) + ": got " + got + ", " +
                                what);
  }

  void SkipBlanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n')) {
      ++at_;
    }
  }

  bool Take(std::string_view token) {
    SkipBlanks();
    if (text_.substr(at_, token.size()) != token) {
      return false;
    }
    at_ += token.size();
    return true;
  }

  uint32_t Add(Node node) {
    result_.nodes_.push_back(std::move(node));
    return static_cast<uint32_t>(result_.nodes_.size() - 1);
  }

  // Parts joined by || (kOr), whose parts are joined by && (kAnd), whose parts are comparisons.
  StatusOr<uint32_t> ParseChain(Kind kind) {
    AP_ASSIGN_OR_RETURN(uint32_t left, ParsePart(kind));
    while (Take(kind == Kind::kOr ? "||" : "&&")) {
      AP_ASSIGN_OR_RETURN(const uint32_t right, ParsePart(kind));
      left = Add({.kind = kind, .left = left, .right = right, .text = {}});
    }
    return left;
  }

  StatusOr<uint32_t> ParsePart(Kind kind) {
    if (kind == Kind::kOr) {
      return ParseChain(Kind::kAnd);
    }
    if (!Take("(")) {
      return ParseComparison();
    }
    if (++depth_ > kMaxDepth) {
      return ErrorHere("expected fewer brackets inside each other");
    }
    AP_ASSIGN_OR_RETURN(const uint32_t inner, ParseChain(Kind::kOr));
    if (!Take(")")) {
      return ErrorHere("expected )");
    }
    --depth_;
    return inner;
  }

  StatusOr<uint32_t> ParseComparison() {
    Node node;
    AP_ASSIGN_OR_RETURN(node.field, ParseField());
    AP_ASSIGN_OR_RETURN(node.comparison, ParseOperator());
    SkipBlanks();
    if (at_ < text_.size() && text_[at_] == '"') {
      node.kind = Kind::kCompareText;
      if (node.comparison != Comparison::kEqual && node.comparison != Comparison::kNotEqual) {
        return ErrorHere("expected a number: texts are compared with == and !=");
      }
      AP_ASSIGN_OR_RETURN(node.text, ParseQuoted());
    } else {
      node.kind = Kind::kCompareNumber;
      AP_ASSIGN_OR_RETURN(node.number, ParseNumber());
    }
    return Add(std::move(node));
  }

  // The longest known name that stands here with an operator after it.
  StatusOr<uint32_t> ParseField() {
    SkipBlanks();
    const size_t begin = at_;
    std::optional<uint32_t> best;
    size_t best_end = begin;
    for (uint32_t i = 0; i < field_names_.size(); ++i) {
      const std::string& name = field_names_[i];
      if (name.empty() || text_.substr(begin, name.size()) != name) {
        continue;
      }
      at_ = begin + name.size();
      if (ParseOperator().ok() && begin + name.size() > best_end) {
        best = i;
        best_end = begin + name.size();
      }
    }
    at_ = begin;
    if (!best.has_value()) {
      return UnknownField();
    }
    at_ = best_end;
    return *best;
  }

  Status UnknownField() const {
    const size_t end = std::min(text_.find_first_of("=!<>&|()", at_), text_.size());
    const std::string_view name = Trim(text_.substr(at_, end - at_));
    if (name.empty()) {
      return ErrorHere("expected an input field");
    }
    const std::string nearest = NearestName(name, field_names_);
    return InvalidArgumentError(
        "character " + std::to_string(at_ + 1) + ": got \"" + std::string(name) +
        "\", expected an input field and a comparison" +
        (nearest.empty() || nearest == name ? "" : "; did you mean \"" + nearest + "\"?"));
  }

  StatusOr<Comparison> ParseOperator() {
    // Longer operators first, or <= would be read as <.
    static constexpr std::array<std::pair<std::string_view, Comparison>, 6> kOperators = {{
        {"==", Comparison::kEqual},
        {"!=", Comparison::kNotEqual},
        {"<=", Comparison::kLessOrEqual},
        {">=", Comparison::kGreaterOrEqual},
        {"<", Comparison::kLess},
        {">", Comparison::kGreater},
    }};
    for (const auto& [token, comparison] : kOperators) {
      if (Take(token)) {
        return comparison;
      }
    }
    return ErrorHere("expected == != < <= > or >=");
  }

  StatusOr<std::string> ParseQuoted() {
    std::string text;
    for (size_t i = at_ + 1; i < text_.size(); ++i) {
      if (text_[i] == '"') {
        at_ = i + 1;
        return text;
      }
      if (text_[i] == '\\' && i + 1 < text_.size()) {
        ++i;
      }
      text += text_[i];
    }
    return ErrorHere("expected a closing quote");
  }

  StatusOr<double> ParseNumber() {
    const size_t end = std::min(text_.find_first_of(" \t\n&|()", at_), text_.size());
    const std::optional<double> number = ParseFloat(text_.substr(at_, end - at_));
    if (!number.has_value()) {
      return ErrorHere("expected a number or a \"text\"");
    }
    at_ = end;
    return *number;
  }

  std::string_view text_;
  std::span<const std::string> field_names_;
  size_t at_ = 0;
  int depth_ = 0;
  LabelExpression result_;
};

StatusOr<LabelExpression> LabelExpression::Parse(std::string_view text,
                                                 std::span<const std::string> field_names) {
  return LabelExpressionParser(text, field_names).Parse();
}

Truth LabelExpression::Evaluate(std::span<const std::string_view> values) const {
  return Evaluate(nodes_.back(), values);
}

Truth LabelExpression::Evaluate(const Node& node, std::span<const std::string_view> values) const {
  if (node.kind == Kind::kCompareText) {
    const bool equal = values[node.field] == node.text;
    return equal == (node.comparison == Comparison::kEqual) ? Truth::kTrue : Truth::kFalse;
  }
  if (node.kind == Kind::kCompareNumber) {
    const std::string_view value = Trim(values[node.field]);
    if (value.empty()) {
      return Truth::kUnknown;
    }
    const std::optional<double> number = ParseFloat(value);
    if (!number.has_value()) {
      return Truth::kBadNumber;
    }
    return Compare(node.comparison, *number, node.number) ? Truth::kTrue : Truth::kFalse;
  }
  const Truth left = Evaluate(nodes_[node.left], values);
  const Truth right = Evaluate(nodes_[node.right], values);
  if (left == Truth::kBadNumber || right == Truth::kBadNumber) {
    return Truth::kBadNumber;
  }
  const Truth decisive = node.kind == Kind::kAnd ? Truth::kFalse : Truth::kTrue;
  if (left == decisive || right == decisive) {
    return decisive;
  }
  return left == Truth::kUnknown ? left : right;
}

bool LabelExpression::Compare(Comparison comparison, double left, double right) {
  switch (comparison) {
    case Comparison::kEqual:
      return left == right;
    case Comparison::kNotEqual:
      return left != right;
    case Comparison::kLess:
      return left < right;
    case Comparison::kLessOrEqual:
      return left <= right;
    case Comparison::kGreater:
      return left > right;
    case Comparison::kGreaterOrEqual:
      return left >= right;
  }
  return false;
}

std::vector<uint32_t> LabelExpression::Fields() const {
  std::vector<uint32_t> fields;
  for (const Node& node : nodes_) {
    if (node.kind == Kind::kCompareNumber || node.kind == Kind::kCompareText) {
      fields.push_back(node.field);
    }
  }
  std::sort(fields.begin(), fields.end());
  fields.erase(std::unique(fields.begin(), fields.end()), fields.end());
  return fields;
}

}  // namespace antiphon
