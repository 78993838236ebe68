// What a user writes into a job file: parsing, the pointing at errors, every check, and that the
// effective text of a job is a job again. A first line "--set ..." is taken as an override.

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/logging.h"
#include "common/data/field_locations.h"
#include "common/data/job_check.h"
#include "common/data/job_defaults.h"
#include "common/data/job_overrides.h"
#include "common/data/job_text.h"

namespace antiphon {
namespace {

void Try(std::string_view text) {
  std::string override_text;
  constexpr std::string_view kSet = "--set ";
  if (text.starts_with(kSet)) {
    const size_t end = text.find('\n');
    override_text = text.substr(kSet.size(), end - kSet.size());
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  StatusOr<ParsedJob> parsed = ParseJobText("job", text);
  if (!parsed.ok()) {
    CHECK(!parsed.status().message().empty());
    return;
  }
  FieldLocations locations("job", parsed->tree);
  if (!override_text.empty() && !ApplyOverride(override_text, parsed->job, locations).ok()) {
    return;
  }
  FillDefaults(parsed->job);
  const std::vector<FieldError> errors = CheckJob(parsed->job);
  CHECK(errors.empty() || !locations.Describe(errors).empty());
  const StatusOr<ParsedJob> again = ParseJobText("plan", JobText(parsed->job));
  CHECK(again.ok()) << again.status();
  CHECK_EQ(CheckJob(again->job).size(), errors.size());
}

}  // namespace
}  // namespace antiphon

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  antiphon::Try({reinterpret_cast<const char*>(data), size});
  return 0;
}
