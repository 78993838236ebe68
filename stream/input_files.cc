#include "stream/input_files.h"

#include <set>

#include "common/data/job_file.h"

namespace antiphon {

StatusOr<std::vector<std::string>> FindInputFiles(
    FileSystem& fs, const std::string& folder, const std::string& field,
    const google::protobuf::RepeatedPtrField<std::string>& patterns) {
  std::vector<std::string> files;
  std::set<std::string> seen;
  for (int i = 0; i < patterns.size(); ++i) {
    const std::string resolved = ResolvePath(folder, patterns[i]);
    std::vector<std::string> matches = {resolved};
    // A file whose name happens to hold a bracket is meant as it stands.
    if (!fs.Exists(resolved)) {
      AP_ASSIGN_OR_RETURN(matches, fs.Glob(resolved));
    }
    if (matches.empty()) {
      return NotFoundError(field + "[" + std::to_string(i) + "]: no file matches \"" + resolved +
                           "\"; relative paths start at the folder of the job file");
    }
    const size_t prefix = resolved.size() - patterns[i].size();
    for (const std::string& match : matches) {
      if (!fs.IsDirectory(match) && seen.insert(match).second) {
        files.push_back(match.substr(prefix));
      } else if (fs.IsDirectory(match)) {
        return InvalidArgumentError(field + "[" + std::to_string(i) + "]: \"" + match +
                                    "\" is a folder, expected a file; " + match +
                                    "/* names the files in it");
      }
    }
  }
  return files;
}

}  // namespace antiphon
