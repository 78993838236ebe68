// A directory of versions, as an exporter that follows a job keeps it and servers read it:
//
//   DIR/version-<n>/   versions side by side, whole or not there; none ever changes
//   DIR/CURRENT        one line: the name of the folder to serve
//
// CURRENT is replaced in one step once the version that it names is durable, and with it every
// version that this one grows from. Stateless functions; any thread may call them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/file_system.h"
#include "common/base/status.h"

namespace antiphon {

inline constexpr char kCurrentFile[] = "CURRENT";

// "version-12".
std::string VersionFolderName(uint64_t version);
// The version in such a name; nothing for other names.
std::optional<uint64_t> VersionOfFolderName(std::string_view name);

// Where the files of a folder beside `folder` lie: "a/b" of "a/b/version-3" and of
// "a/b/version-3/".
std::string FolderAbove(std::string_view folder);
// Without slashes at its end.
std::string WithoutTrailingSlash(const std::string& folder);

// The name in DIR/CURRENT. kNotFound: there is none (yet). kDataLoss: it names no version.
StatusOr<std::string> ReadCurrent(FileSystem& fs, const std::string& directory);

// Makes `version` the current one. A reader sees the name before or this one, also after a power
// cut.
Status WriteCurrent(FileSystem& fs, const std::string& directory, uint64_t version);

}  // namespace antiphon
