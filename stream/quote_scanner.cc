#include "stream/quote_scanner.h"

namespace antiphon {

bool QuoteScanner::EndsInside(std::string_view text) {
  while (at_ < text.size()) {
    if (inside_) {
      const size_t quote = text.find('"', at_);
      if (quote == std::string_view::npos) {
        at_ = text.size();
        break;
      }
      const bool is_doubled = quote + 1 < text.size() && text[quote + 1] == '"';
      inside_ = is_doubled;
      at_ = quote + (is_doubled ? 2 : 1);
    } else if (at_field_start_ && text[at_] == '"') {
      inside_ = true;
      at_field_start_ = false;
      ++at_;
    } else {
      const size_t next = text.find(separator_, at_);
      at_field_start_ = next != std::string_view::npos;
      at_ = at_field_start_ ? next + separator_.size() : text.size();
    }
  }
  return inside_;
}

}  // namespace antiphon
