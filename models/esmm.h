// Entire-space multi-task model (Ma et al., SIGIR 2018), p = P(click), q = P(conversion | click):
//
//   p = sigmoid(a),  a = ctr_tower(h)      h = bottom(e), or e itself
//   q = sigmoid(c),  c = cvr_tower(h)
//   loss = l(click, p) + weight l(click and conversion, p q)
//
// Both losses run over all impressions; q has no loss of its own, which is how it learns without
// the bias of clicked samples. Task 1 predicts p q. It is the funnel of two events, and computed as
// such (models/funnel.h).
#pragma once

#include "proto/job.pb.h"

namespace antiphon {

Funnel EsmmAsFunnel(const Esmm& config);

}  // namespace antiphon
