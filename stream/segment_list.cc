#include "stream/segment_list.h"

#include <algorithm>
#include <cctype>
#include <fnmatch.h>
#include <set>
#include <vector>

#include "common/base/text.h"
#include "stream/folder_stream.h"

namespace antiphon {
namespace {

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

bool MayBeSegment(const std::string& name, const FolderStream& config) {
  return !name.starts_with('.') && !name.ends_with(".tmp") && name != config.end_marker() &&
         (config.ready_suffix().empty() || !name.ends_with(config.ready_suffix())) &&
         ::fnmatch(config.pattern().c_str(), name.c_str(), 0) == 0;
}

}  // namespace

StatusOr<uint64_t> SegmentNumber(std::string_view name) {
  const std::string_view stem = name.substr(0, name.find('.'));
  size_t end = stem.size();
  while (end > 0 && !IsDigit(stem[end - 1])) {
    --end;
  }
  size_t begin = end;
  while (begin > 0 && IsDigit(stem[begin - 1])) {
    --begin;
  }
  const std::optional<uint64_t> number = ParseUint(std::string(stem.substr(begin, end - begin)));
  if (!number.has_value() || *number > kMaxSegmentNumber) {
    return InvalidArgumentError(
        "segment \"" + std::string(name) + "\" has no number in its name, expected one of 0 to " +
        std::to_string(kMaxSegmentNumber) + " before the first dot, such as samples-000042.csv.gz");
  }
  return *number;
}

StatusOr<SegmentList> ListSegments(FileSystem& fs, const std::string& folder,
                                   const FolderStream& config) {
  SegmentList list;
  list.has_end = fs.Exists(folder + "/" + config.end_marker());
  if (!fs.IsDirectory(folder)) {
    return list;
  }
  AP_ASSIGN_OR_RETURN(const std::vector<std::string> names, fs.List(folder));
  const std::set<std::string> all(names.begin(), names.end());
  for (const std::string& name : names) {
    if (!MayBeSegment(name, config) ||
        (!config.ready_suffix().empty() && !all.contains(name + config.ready_suffix()))) {
      continue;
    }
    AP_ASSIGN_OR_RETURN(const uint64_t number, SegmentNumber(name));
    const auto [other, is_new] = list.path_of_number.emplace(number, folder + "/" + name);
    if (!is_new) {
      return InvalidArgumentError(folder + "/" + name + " has the number of " + other->second +
                                  ", expected numbers that count up by one");
    }
  }
  return list;
}

}  // namespace antiphon
