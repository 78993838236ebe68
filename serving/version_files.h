// The files of a version as its signature describes them: what is opened here is whole, and of that
// version. Stateless functions; any thread may call them. Errors name the file.
#pragma once

#include <memory>
#include <string>

#include "common/base/status.h"
#include "proto/plan.pb.h"
#include "serving/emb_table.h"
#include "serving/mapped_file.h"
#include "serving/version_chain.h"

namespace antiphon {

// Maps a file that the signature names and compares it with what is said there. kDataLoss: it is
// missing, or not that file.
StatusOr<std::unique_ptr<MappedFile>> MapVersionFile(const VersionLink& version,
                                                     const std::string& name);

// The rows of table `spec`, mapped: all of them, or those of a step. The pointer holds the file.
StatusOr<std::shared_ptr<const EmbTable>> OpenVersionTable(const VersionLink& version,
                                                           const TableSpec& spec);

}  // namespace antiphon
