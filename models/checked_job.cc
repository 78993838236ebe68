#include "models/checked_job.h"

#include <iterator>
#include <vector>

#include "common/data/job_check.h"
#include "models/model_config_check.h"

namespace antiphon {

StatusOr<JobFile> LoadCheckedJob(FileSystem& fs, const std::string& path,
                                 std::span<const std::string> overrides) {
  AP_ASSIGN_OR_RETURN(JobFile file, LoadJob(fs, path, overrides));
  std::vector<FieldError> errors = CheckJob(file.job);
  std::vector<FieldError> model_errors = CheckModelConfig(file.job);
  errors.insert(errors.end(), std::make_move_iterator(model_errors.begin()),
                std::make_move_iterator(model_errors.end()));
  if (!errors.empty()) {
    return InvalidArgumentError(file.locations.Describe(errors));
  }
  return file;
}

}  // namespace antiphon
