// state.bin: the plan and the dense blocks of a version, which the trainer's own forward pass
// reads. A sealed ServedState (common/ckpt/sealed_message.h) and nothing after it. Pure functions.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "common/base/status.h"
#include "models/trained_model.h"
#include "proto/serving.pb.h"

namespace antiphon {

StatusOr<std::string> EncodeServedState(const TrainedModel& model);

// kDataLoss: damaged, or blocks that are not those of its plan.
StatusOr<ServedState> DecodeServedState(std::span<const std::byte> bytes);

}  // namespace antiphon
