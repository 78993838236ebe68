// What the fuzz targets of the record formats have in common: the input is a file of the format; it
// is cut into records, these are decoded, and what comes out is made into rows.
#pragma once

#include <string_view>

#include "proto/job.pb.h"

namespace antiphon {

// Stops the process when something that must hold does not.
void TryRecordFile(std::string_view contents, DataConfig::InputType type);

}  // namespace antiphon
