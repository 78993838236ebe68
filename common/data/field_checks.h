// FieldChecks: collects the errors of one job, with the few comparisons that most checks are.
//
// Lives for one CheckJob call.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/data/field_error.h"
#include "proto/job.pb.h"

namespace antiphon {

class FieldChecks {
 public:
  void Add(std::string path, std::string message) {
    errors_.push_back({std::move(path), std::move(message)});
  }
  // "got 0, expected 1 to 64"
  void Range(const std::string& path, uint64_t value, uint64_t lowest, uint64_t highest);
  // Both ends included; not a number is an error too.
  void Range(const std::string& path, double value, double lowest, double highest);
  void Positive(const std::string& path, double value);
  // A list where each text may stand once; empty texts are errors.
  void Distinct(const std::string& path, const std::vector<std::string>& values);
  // `name` is one of `known`; the error names the nearest one. `kind` is such as "input field".
  void Known(const std::string& path, const std::string& name, std::string_view kind,
             const std::vector<std::string>& known);
  void Optimizer(const std::string& path, const OptimizerConfig& config);
  void InitialValues(const std::string& path, const Initializer& config);

  std::vector<FieldError> Take() { return std::move(errors_); }

 private:
  std::vector<FieldError> errors_;
};

// "features[2]"
std::string ElementPath(const std::string& list, int index);

// "got 0, expected 1 to 64"
std::string GotExpected(const std::string& got, const std::string& expected);

// A number as people write it: 0.01, not 0.010000.
std::string NumberText(double value);

}  // namespace antiphon
