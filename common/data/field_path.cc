#include "common/data/field_path.h"

#include <limits>
#include <optional>
#include <span>

#include "common/base/text.h"

namespace antiphon {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;

// "what, expected one of a, b, c; did you mean "b"?"
std::string DescribeUnknown(std::string what, std::string_view name,
                            std::span<const std::string> known) {
  what += ", expected one of " + Join(known, ", ");
  const std::string nearest = NearestName(name, known);
  if (!nearest.empty()) {
    what += "; did you mean \"" + nearest + "\"?";
  }
  return what;
}

// Cuts "[3]" off `name`. Without brackets the index is kWholeField.
StatusOr<int> TakeIndex(std::string_view& name) {
  const size_t open = name.find('[');
  if (open == std::string_view::npos) {
    return kWholeField;
  }
  if (name.back() != ']') {
    return InvalidArgumentError("\"" + std::string(name) + "\" has text after its brackets");
  }
  const std::string_view digits = name.substr(open + 1, name.size() - open - 2);
  name = name.substr(0, open);
  if (digits.empty()) {
    return kAppendToList;
  }
  const std::optional<uint64_t> index = ParseUint(digits);
  if (!index.has_value() || *index > std::numeric_limits<int>::max()) {
    return InvalidArgumentError("\"" + std::string(digits) + "\" is no index of a list");
  }
  return static_cast<int>(*index);
}

}  // namespace

std::string DescribeUnknownField(std::string_view name, const Descriptor& type) {
  std::vector<std::string> known;
  known.reserve(static_cast<size_t>(type.field_count()));
  for (int i = 0; i < type.field_count(); ++i) {
    known.push_back(type.field(i)->name());
  }
  return DescribeUnknown("unknown field " + std::string(name) + " in " + type.name(), name, known);
}

std::string DescribeUnknownValue(std::string_view name, const EnumDescriptor& type) {
  std::vector<std::string> known;
  known.reserve(static_cast<size_t>(type.value_count()));
  for (int i = 0; i < type.value_count(); ++i) {
    known.push_back(type.value(i)->name());
  }
  return DescribeUnknown("unknown value " + std::string(name) + " of " + type.name(), name, known);
}

StatusOr<std::vector<FieldStep>> ParseFieldPath(const Descriptor& root, std::string_view path) {
  std::vector<FieldStep> steps;
  const Descriptor* type = &root;
  for (std::string_view name : Split(path, ".")) {
    if (type == nullptr) {
      return InvalidArgumentError(steps.back().field->name() + " has no fields inside");
    }
    FieldStep step;
    AP_ASSIGN_OR_RETURN(step.index, TakeIndex(name));
    step.field = type->FindFieldByName(std::string(name));
    if (step.field == nullptr) {
      return InvalidArgumentError(DescribeUnknownField(name, *type));
    }
    if (step.index != kWholeField && !step.field->is_repeated()) {
      return InvalidArgumentError(step.field->name() + " is not a list: it takes no index");
    }
    type = step.field->message_type();
    steps.push_back(step);
  }
  return steps;
}

}  // namespace antiphon
