// TagCursor: the values in a multi-valued field, one after the other. Empty ones are passed over.
#pragma once

#include <algorithm>
#include <string_view>

namespace antiphon {

class TagCursor {
 public:
  TagCursor(std::string_view text, std::string_view separator)
      : text_(text), separator_(separator) {}

  // False at the end.
  bool Next(std::string_view& tag) {
    while (at_ <= text_.size()) {
      const size_t end = std::min(text_.find(separator_, at_), text_.size());
      tag = text_.substr(at_, end - at_);
      at_ = end + separator_.size();
      if (!tag.empty()) {
        return true;
      }
    }
    return false;
  }

 private:
  std::string_view text_;
  std::string_view separator_;
  size_t at_ = 0;
};

// Cuts ":weight" off `tag` and returns the weight's text; empty when there is none.
inline std::string_view TakeTagWeight(std::string_view& tag, std::string_view kv_separator) {
  const size_t cut = kv_separator.empty() ? std::string_view::npos : tag.rfind(kv_separator);
  if (cut == std::string_view::npos) {
    return {};
  }
  const std::string_view weight = tag.substr(cut + kv_separator.size());
  tag = tag.substr(0, cut);
  return weight;
}

}  // namespace antiphon
