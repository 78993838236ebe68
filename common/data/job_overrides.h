// Overrides: `--set path.to.field=value` on top of a job file.
//
// Lists are addressed by index (`a.list[0].b=1`), grown by empty brackets (`a.list[]=x`), replaced
// as a whole by `a.list=[x, y]`. Text needs no quotes. Messages are written as in the job file:
// `a.message={b: 1}`. Naming another branch of a choice, such as another optimizer, switches to it.
#pragma once

#include <string>

#include "common/base/status.h"
#include "common/data/field_locations.h"
#include "proto/job.pb.h"

namespace antiphon {

// Applies one override ("a.b=3") and notes it in `locations`. The error names the override; the
// job is then to be thrown away.
Status ApplyOverride(const std::string& override_text, Job& job, FieldLocations& locations);

}  // namespace antiphon
