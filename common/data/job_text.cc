#include "common/data/job_text.h"

#include <algorithm>
#include <cctype>
#include <vector>

#include <google/protobuf/io/tokenizer.h>

#include "common/base/text.h"
#include "common/data/field_path.h"

namespace antiphon {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::TextFormat;

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// Keeps the first error: what the parser says after it is mostly a consequence.
class FirstError final : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, google::protobuf::io::ColumnNumber column,
                const std::string& message) override {
    if (message_.empty()) {
      line_ = line;
      column_ = column;
      message_ = message;
    }
  }

  int line() const { return line_; }
  int column() const { return column_; }
  const std::string& message() const { return message_; }

 private:
  int line_ = -1;
  int column_ = 0;
  std::string message_;
};

bool IsNamePart(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

// Offset of a line and column as the tokenizer counts them: a tab goes to the next multiple of 8.
size_t OffsetOf(std::string_view text, int line, int column) {
  size_t at = 0;
  for (int i = 0; i < line; ++i) {
    const size_t newline = text.find('\n', at);
    if (newline == std::string_view::npos) {
      return text.size();
    }
    at = newline + 1;
  }
  for (int seen = 0; seen < column && at < text.size(); ++at) {
    seen = text[at] == '\t' ? (seen / 8 + 1) * 8 : seen + 1;
  }
  return at;
}

// Where the whole word `name` stands last before or at `offset`; `offset` when it does not.
size_t LastWord(std::string_view text, std::string_view name, size_t offset) {
  size_t at = std::min(offset, text.size());
  while (!name.empty() && (at = text.rfind(name, at)) != std::string_view::npos) {
    const size_t end = at + name.size();
    if ((at == 0 || !IsNamePart(text[at - 1])) && (end == text.size() || !IsNamePart(text[end]))) {
      return at;
    }
    if (at-- == 0) {
      break;
    }
  }
  return offset;
}

// Just past a comment or a quoted string that starts at `at`; `at` when none does.
size_t SkipOpaque(std::string_view text, size_t at) {
  if (text[at] == '#') {
    return std::min(text.find('\n', at), text.size());
  }
  if (text[at] != '"' && text[at] != '\'') {
    return at;
  }
  const char quote = text[at++];
  while (at < text.size() && text[at] != quote) {
    at += text[at] == '\\' ? 2 : 1;
  }
  return std::min(at + 1, text.size());
}

// The message type whose braces are open at `offset`; null when a name on the way is not known.
const Descriptor* EnclosingMessage(std::string_view text, size_t offset) {
  std::vector<const Descriptor*> open = {Job::descriptor()};
  std::string_view word;
  size_t at = 0;
  while (at < offset && open.back() != nullptr) {
    const size_t past = SkipOpaque(text, at);
    if (past != at) {
      at = past;
      continue;
    }
    if (IsNamePart(text[at])) {
      const size_t begin = at;
      while (at < text.size() && IsNamePart(text[at])) {
        ++at;
      }
      word = text.substr(begin, at - begin);
      continue;
    }
    if (text[at] == '{') {
      const FieldDescriptor* field = open.back()->FindFieldByName(std::string(word));
      open.push_back(field == nullptr ? nullptr : field->message_type());
    } else if (text[at] == '}' && open.size() > 1) {
      open.pop_back();
    }
    ++at;
  }
  return open.back();
}

// The texts between double quotes in a message of the parser.
std::vector<std::string> QuotedWords(std::string_view message) {
  std::vector<std::string> words;
  const std::vector<std::string_view> pieces = Split(message, "\"");
  for (size_t i = 1; i < pieces.size(); i += 2) {
    words.emplace_back(pieces[i]);
  }
  return words;
}

// The parser reports the token after the one that is wrong and knows no suggestion. This finds the
// wrong word again and says what could stand there.
Status ExplainError(const std::string& file, std::string_view text, const FirstError& error) {
  size_t offset = OffsetOf(text, error.line(), error.column());
  std::string message = error.message();
  const std::vector<std::string> words = QuotedWords(message);
  if (message.find("has no field named") != std::string::npos && words.size() == 2) {
    const Descriptor* type =
        google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(words[0]);
    offset = LastWord(text, words[1], offset);
    message = type == nullptr ? message : DescribeUnknownField(words[1], *type);
  } else if (message.find("Unknown enumeration value") == 0 && words.size() == 2) {
    offset = LastWord(text, words[0], offset);
    const Descriptor* type = EnclosingMessage(text, offset);
    const FieldDescriptor* field = type == nullptr ? nullptr : type->FindFieldByName(words[1]);
    if (field != nullptr && field->enum_type() != nullptr) {
      message = DescribeUnknownValue(words[0], *field->enum_type());
    }
  } else if (!message.empty()) {
    message[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(message[0])));
  }
  const std::string_view before = text.substr(0, std::min(offset, text.size()));
  const size_t line_start =
      before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  return InvalidArgumentError(file + ":" + std::to_string(line) + ":" +
                              std::to_string(before.size() - line_start + 1) + ": " + message);
}

}  // namespace

StatusOr<ParsedJob> ParseJobText(const std::string& file, std::string_view text) {
  if (text.substr(0, kByteOrderMark.size()) == kByteOrderMark) {
    text.remove_prefix(kByteOrderMark.size());
  }
  if (Trim(text).empty()) {
    return InvalidArgumentError(file +
                                ": the file is empty, expected a job; docs/job_file.md has one");
  }
  const size_t nul = text.find('\0');
  if (nul != std::string_view::npos) {
    return InvalidArgumentError(file + ": byte " + std::to_string(nul) +
                                " is 0, expected protobuf text");
  }
  ParsedJob parsed;
  parsed.tree = std::make_shared<TextFormat::ParseInfoTree>();
  FirstError error;
  TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  parser.WriteLocationsTo(parsed.tree.get());
  parser.SetRecursionLimit(32);
  if (!parser.ParseFromString(std::string(text), &parsed.job)) {
    return ExplainError(file, text, error);
  }
  return parsed;
}

}  // namespace antiphon
