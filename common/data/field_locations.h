// FieldLocations: where each field of a job was written, so that an error can point at it.
//
// Frozen once the job is loaded; may then be read by any thread.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <google/protobuf/text_format.h>

#include "common/data/field_error.h"

namespace antiphon {

class FieldLocations {
 public:
  FieldLocations() = default;  // of a job that was not written anywhere
  FieldLocations(std::string file,
                 std::shared_ptr<google::protobuf::TextFormat::ParseInfoTree> tree)
      : file_(std::move(file)), tree_(std::move(tree)) {}

  // From now on `path` and what lies inside it comes from `override_text` ("a.b=3").
  void AddOverride(std::string path, std::string override_text);

  // "job.textproto:12:5" of the field, or of the nearest one around it that was written; "--set
  // a.b=3" when an override wrote it; the file's name when nothing did.
  std::string Locate(std::string_view path) const;

  // "job.textproto:12:5: message", a line an error, in the order of `errors`.
  std::string Describe(std::span<const FieldError> errors) const;

 private:
  struct Override {
    std::string path;
    std::string text;
  };

  std::string file_;
  std::shared_ptr<google::protobuf::TextFormat::ParseInfoTree> tree_;
  std::vector<Override> overrides_;
};

}  // namespace antiphon
