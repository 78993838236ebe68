// How the text of a job's features becomes ids, numbers and columns, said so that a server in any
// language can do the same. It asks the transforms of training (common/data/feature_transform.h)
// and the layout of the model's input (models/input_layout.h). Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "proto/job.pb.h"
#include "proto/plan.pb.h"
#include "proto/serving.pb.h"

namespace antiphon {

// In the job's order. The job is one that trained with this plan.
StatusOr<std::vector<ServedFeature>> DescribeFeatures(const Job& job, const TrainingPlan& plan);

// Of the digests of all features.
std::string TransformDigest(const std::vector<ServedFeature>& features);

// 16 hexadecimal digits.
std::string HexDigits(uint64_t number);

// kFailedPrecondition when the features turn text into other ids or numbers than `trained` does;
// the message names the first feature that differs and what differs about it.
Status CheckSameTransforms(const std::vector<ServedFeature>& trained,
                           const std::vector<ServedFeature>& others);

}  // namespace antiphon
