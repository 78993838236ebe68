// How long after its event a sample shows in a served score.
//
// A version says when its snapshot was cut and how old the samples were then that came in with it;
// once it is served, each of them is older by what passed since. Pure functions.
#pragma once

#include <cstdint>

#include "common/base/status.h"
#include "common/math/age_histogram.h"
#include "proto/serving.pb.h"

namespace antiphon {

// Of one version that is served from `visible_ms` on, wall time. Empty where the job has no time
// field. kInvalidArgument: ages that no version has.
StatusOr<AgeHistogram> FreshnessOf(const Signature& signature, int64_t visible_ms);

// When the snapshot of a version was taken, wall time; by the second where it does not say more.
int64_t CutMs(const Signature& signature);

}  // namespace antiphon
