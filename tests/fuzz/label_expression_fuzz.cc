// Label expressions of a job file. The input is an expression and, after its last line end, a
// value that every field takes.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/logging.h"
#include "common/data/label_expression.h"

namespace antiphon {
namespace {

void Try(std::string_view text) {
  const std::vector<std::string> names = {"click", "play", "play time", "a(b"};
  const size_t cut = text.rfind('\n');
  const std::string_view value = cut == std::string_view::npos ? "1" : text.substr(cut + 1);
  const StatusOr<LabelExpression> expression = LabelExpression::Parse(text.substr(0, cut), names);
  if (!expression.ok()) {
    CHECK(!expression.status().message().empty());
    return;
  }
  for (const uint32_t field : expression->Fields()) {
    CHECK_LT(field, names.size());
  }
  const std::vector<std::string_view> values(names.size(), value);
  CHECK(expression->Evaluate(values) == expression->Evaluate(values));
}

}  // namespace
}  // namespace antiphon

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  antiphon::Try({reinterpret_cast<const char*>(data), size});
  return 0;
}
