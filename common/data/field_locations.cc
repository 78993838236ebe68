#include "common/data/field_locations.h"

#include <algorithm>

#include "common/base/text.h"
#include "common/data/field_path.h"
#include "proto/job.pb.h"

namespace antiphon {
namespace {

using google::protobuf::TextFormat;

// Whether `path` is `outer` or lies inside it.
bool IsInside(std::string_view path, std::string_view outer) {
  if (path.substr(0, outer.size()) != outer) {
    return false;
  }
  return path.size() == outer.size() || path[outer.size()] == '.' || path[outer.size()] == '[';
}

}  // namespace

void FieldLocations::AddOverride(std::string path, std::string override_text) {
  overrides_.push_back({std::move(path), std::move(override_text)});
}

std::string FieldLocations::Locate(std::string_view path) const {
  const auto latest =
      std::find_if(overrides_.rbegin(), overrides_.rend(),
                   [&](const Override& override) { return IsInside(path, override.path); });
  if (latest != overrides_.rend()) {
    return "--set " + latest->text;
  }
  const StatusOr<std::vector<FieldStep>> steps = ParseFieldPath(*Job::descriptor(), path);
  if (tree_ == nullptr || !steps.ok()) {
    return file_;
  }
  std::string found = file_;
  const TextFormat::ParseInfoTree* tree = tree_.get();
  for (const FieldStep& step : *steps) {
    const int index = step.index == kWholeField && step.field->is_repeated() ? 0 : step.index;
    const TextFormat::ParseLocation at = tree->GetLocation(step.field, index);
    if (at.line < 0) {
      break;
    }
    found = file_ + ":" + std::to_string(at.line + 1) + ":" + std::to_string(at.column + 1);
    tree =
        step.field->message_type() == nullptr ? nullptr : tree->GetTreeForNested(step.field, index);
    if (tree == nullptr) {
      break;
    }
  }
  return found;
}

std::string FieldLocations::Describe(std::span<const FieldError> errors) const {
  std::string text;
  for (const FieldError& error : errors) {
    if (!text.empty()) {
      text += '\n';
    }
    const std::string where = Locate(error.path);
    text += where.empty() ? "" : where + ": ";
    text += error.path.empty() ? error.message : error.path + ": " + error.message;
  }
  return text;
}

}  // namespace antiphon
