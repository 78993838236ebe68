// FieldError: what is wrong with one field of the job, before anybody knows where it was written.
//
// Checks of every room return these; FieldLocations turns the path into file, line and column.
#pragma once

#include <string>
#include <vector>

namespace antiphon {

struct FieldError {
  std::string path;     // "data_config.input_fields[2].input_name"; empty: the job as a whole
  std::string message;  // "got 0, expected 1 to 1048576"
};

}  // namespace antiphon
