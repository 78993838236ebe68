#include "common/data/job_file.h"

#include "common/data/job_defaults.h"
#include "common/data/job_overrides.h"
#include "common/data/job_text.h"

namespace antiphon {
namespace {

constexpr uint64_t kMaxJobFileBytes = 16 << 20;

}  // namespace

StatusOr<JobFile> LoadJob(FileSystem& fs, const std::string& path,
                          std::span<const std::string> overrides) {
  if (fs.IsDirectory(path)) {
    return InvalidArgumentError(path + ": is a folder, expected a job file");
  }
  AP_ASSIGN_OR_RETURN(const std::string text, ReadWholeFile(fs, path, kMaxJobFileBytes));
  AP_ASSIGN_OR_RETURN(ParsedJob parsed, ParseJobText(path, text));
  JobFile file;
  file.job = std::move(parsed.job);
  file.locations = FieldLocations(path, std::move(parsed.tree));
  const size_t slash = path.rfind('/');
  file.folder = slash == std::string::npos ? "." : path.substr(0, slash == 0 ? 1 : slash);
  for (const std::string& override_text : overrides) {
    AP_RETURN_IF_ERROR(ApplyOverride(override_text, file.job, file.locations));
  }
  FillDefaults(file.job);
  return file;
}

std::string ResolvePath(const std::string& folder, const std::string& path) {
  if (path.empty() || path[0] == '/') {
    return path;
  }
  return folder == "/" ? folder + path : folder + "/" + path;
}

}  // namespace antiphon
