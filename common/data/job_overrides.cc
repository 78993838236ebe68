#include "common/data/job_overrides.h"

#include <vector>

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include "common/base/text.h"
#include "common/data/field_path.h"

namespace antiphon {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::TextFormat;

class LastError final : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int /*line*/, google::protobuf::io::ColumnNumber /*column*/,
                const std::string& message) override {
    message_ = message;
  }
  const std::string& message() const { return message_; }

 private:
  std::string message_;
};

std::string Quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
    }
    quoted += c;
  }
  return quoted + '"';
}

bool LooksQuoted(std::string_view text) {
  return text.size() >= 2 && (text.front() == '"' || text.front() == '\'') &&
         text.back() == text.front();
}

const char* ExpectedKind(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return "true or false";
    case FieldDescriptor::CPPTYPE_FLOAT:
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return "a number";
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
      return "a whole number that is not negative and in range";
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64:
      return "a whole number in range";
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return "a message in braces, such as {field: 1}";
    case FieldDescriptor::CPPTYPE_ENUM:
    case FieldDescriptor::CPPTYPE_STRING:
      break;
  }
  return "a value";
}

// Sets a single field, or adds one element to a list.
Status ParseValue(std::string_view text, const FieldDescriptor& field, Message& message) {
  const bool is_text = field.cpp_type() == FieldDescriptor::CPPTYPE_STRING;
  if (field.enum_type() != nullptr &&
      field.enum_type()->FindValueByName(std::string(text)) == nullptr) {
    return InvalidArgumentError(DescribeUnknownValue(text, *field.enum_type()));
  }
  const std::string input = is_text && !LooksQuoted(text) ? Quoted(text) : std::string(text);
  TextFormat::Parser parser;
  LastError error;
  parser.RecordErrorsTo(&error);
  parser.SetRecursionLimit(32);
  if (!parser.ParseFieldValueFromString(input, &field, &message)) {
    const std::string detail = field.message_type() == nullptr || error.message().empty()
                                   ? ""
                                   : " (" + error.message() + ")";
    return InvalidArgumentError("got " + std::string(text) + ", expected " + ExpectedKind(field) +
                                detail);
  }
  return Status();
}

Status CheckIndex(const FieldStep& step, int size) {
  if (step.index >= size) {
    return InvalidArgumentError(step.field->name() + " has " + std::to_string(size) +
                                " elements, so no [" + std::to_string(step.index) +
                                "]; [] appends one");
  }
  return Status();
}

// "[a, b]" element by element. A comma inside a quoted text is not a separator for our users'
// fields: they can append such a text with [].
Status ReplaceList(std::string_view text, const FieldDescriptor& field, Message& message) {
  message.GetReflection()->ClearField(&message, &field);
  text = Trim(text);
  if (text.size() < 2 || text.front() != '[' || text.back() != ']') {
    return InvalidArgumentError(field.name() + " is a list: say " + field.name() + "[0]=, " +
                                field.name() + "[]= or " + field.name() + "=[a, b]");
  }
  text = Trim(text.substr(1, text.size() - 2));
  if (text.empty()) {
    return Status();
  }
  if (field.message_type() != nullptr) {
    return InvalidArgumentError(field.name() + " is a list of messages: set them one by one");
  }
  for (const std::string_view element : Split(text, ",")) {
    AP_RETURN_IF_ERROR(ParseValue(Trim(element), field, message));
  }
  return Status();
}

Status SetLast(const FieldStep& step, std::string_view value, Message& message) {
  const Reflection& reflection = *message.GetReflection();
  if (!step.field->is_repeated()) {
    reflection.ClearField(&message, step.field);
    return ParseValue(value, *step.field, message);
  }
  if (step.index == kWholeField) {
    return ReplaceList(value, *step.field, message);
  }
  const int size = reflection.FieldSize(message, step.field);
  AP_RETURN_IF_ERROR(CheckIndex(step, size));
  AP_RETURN_IF_ERROR(ParseValue(value, *step.field, message));
  if (step.index != kAppendToList) {
    reflection.SwapElements(&message, step.field, step.index, size);
    reflection.RemoveLast(&message, step.field);
  }
  return Status();
}

// The message inside `message` that `step` leads to; made when it is not there.
StatusOr<Message*> Enter(const FieldStep& step, Message& message) {
  const Reflection& reflection = *message.GetReflection();
  if (!step.field->is_repeated()) {
    return reflection.MutableMessage(&message, step.field);
  }
  if (step.index == kAppendToList) {
    return reflection.AddMessage(&message, step.field);
  }
  if (step.index == kWholeField) {
    return InvalidArgumentError(step.field->name() + " is a list: say which, " +
                                step.field->name() + "[0]");
  }
  AP_RETURN_IF_ERROR(CheckIndex(step, reflection.FieldSize(message, step.field)));
  return reflection.MutableRepeatedMessage(&message, step.field, step.index);
}

// The path as the locations know it: "[]" has become the last index.
std::string WrittenPath(const std::vector<FieldStep>& steps, const Job& job) {
  std::string path;
  const Message* message = &job;
  for (const FieldStep& step : steps) {
    path += (path.empty() ? "" : ".") + step.field->name();
    int index = step.index;
    if (index == kAppendToList) {
      index = message->GetReflection()->FieldSize(*message, step.field) - 1;
    }
    if (index != kWholeField) {
      path += "[" + std::to_string(index) + "]";
    }
    if (step.field->message_type() != nullptr && &step != &steps.back()) {
      message = index == kWholeField
                    ? &message->GetReflection()->GetMessage(*message, step.field)
                    : &message->GetReflection()->GetRepeatedMessage(*message, step.field, index);
    }
  }
  return path;
}

StatusOr<std::string> Apply(const std::string& text, Job& job) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos) {
    return InvalidArgumentError("no \"=\", expected path.to.field=value");
  }
  const std::string_view path = Trim(std::string_view(text).substr(0, equals));
  const std::string_view value = Trim(std::string_view(text).substr(equals + 1));
  AP_ASSIGN_OR_RETURN(const std::vector<FieldStep> steps, ParseFieldPath(*Job::descriptor(), path));
  Message* message = &job;
  for (size_t i = 0; i + 1 < steps.size(); ++i) {
    AP_ASSIGN_OR_RETURN(message, Enter(steps[i], *message));
  }
  AP_RETURN_IF_ERROR(SetLast(steps.back(), value, *message));
  return WrittenPath(steps, job);
}

}  // namespace

Status ApplyOverride(const std::string& override_text, Job& job, FieldLocations& locations) {
  StatusOr<std::string> path = Apply(override_text, job);
  if (!path.ok()) {
    return path.status().WithContext("--set " + override_text);
  }
  locations.AddOverride(std::move(path).value(), override_text);
  return Status();
}

}  // namespace antiphon
