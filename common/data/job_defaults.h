// The effective job: what was written, with every default filled in. Pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "proto/job.pb.h"

namespace antiphon {

// Gives every field that has a default its value, and names what is named after something else
// (feature_name, embedding_name). A second call changes nothing.
void FillDefaults(Job& job);

// The job as protobuf text; parsing it gives the same job.
std::string JobText(const Job& job);

// A hash of JobText: two processes with the same digest train the same thing.
uint64_t JobDigest(const Job& job);

}  // namespace antiphon
