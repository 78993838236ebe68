// QuoteScanner: whether a piece of CSV ends inside a quoted field. Goes on where it stopped when
// the piece has grown, so that a long field is read once. Owned by one reader.
#pragma once

#include <cstddef>
#include <string_view>

namespace antiphon {

class QuoteScanner {
 public:
  explicit QuoteScanner(std::string_view separator) : separator_(separator) {}

  // `text` begins with the text of the call before. It ends before a line end, or the file's end.
  bool EndsInside(std::string_view text);

 private:
  std::string_view separator_;
  size_t at_ = 0;
  bool inside_ = false;
  bool at_field_start_ = true;
};

}  // namespace antiphon
