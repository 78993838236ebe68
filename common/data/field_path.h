// FieldPath: the way to one field of the job, "feature_config.features[2].embedding_dim", as it
// stands in errors and in --set. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <google/protobuf/descriptor.h>

#include "common/base/status.h"

namespace antiphon {

inline constexpr int kWholeField = -1;    // no brackets: a single field, or a list as a whole
inline constexpr int kAppendToList = -2;  // "[]"

struct FieldStep {
  const google::protobuf::FieldDescriptor* field = nullptr;
  int index = kWholeField;
};

// Splits `path` into steps and looks each up, starting in `root`. An unknown name is an error that
// names the nearest known one.
StatusOr<std::vector<FieldStep>> ParseFieldPath(const google::protobuf::Descriptor& root,
                                                std::string_view path);

// "unknown field lerning_rate in SgdOptimizer, expected one of ...; did you mean "learning_rate"?"
std::string DescribeUnknownField(std::string_view name, const google::protobuf::Descriptor& type);

// The same for a value of an enum.
std::string DescribeUnknownValue(std::string_view name,
                                 const google::protobuf::EnumDescriptor& type);

}  // namespace antiphon
