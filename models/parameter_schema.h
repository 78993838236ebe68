// The parameters of a job's model as servers see them. Pure functions.
//
// Tables come first in the order of the job's categorical features, features with the same
// embedding_name share one; then the model's dense blocks in the order in which it declares them.
// Which table a sparse column of a batch reads is InputLayout::sparse[column].table.
#pragma once

#include "common/base/status.h"
#include "proto/job.pb.h"
#include "proto/parameters.pb.h"

namespace antiphon {

inline constexpr uint32_t kChunkFloats = 16384;

// InvalidArgument with the first error of CheckModelConfig when it has one.
StatusOr<ParameterSchema> BuildParameterSchema(const Job& job);

}  // namespace antiphon
