// PushService: applies the gradients of a batch, once.
//
// The ledger decides first whether the batch is new; only then is anything else looked at, and
// everything is checked before the first float changes: a refused push leaves no trace. Owned by a
// Lane, used on its thread; its scratch memory is kept, so that a steady state allocates nothing.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "common/base/types.h"
#include "common/wire/frame.h"
#include "proto/cluster.pb.h"
#include "server/lane_state.h"

namespace antiphon {

class PushService {
 public:
  PushService(LaneState& state, Clock& clock) : state_(state), clock_(clock) {}

  // kUnknownHandle: the pull is forgotten, send the keys along. kStaleEpoch, kPositionGap and
  // kInvalidArgument come from the ledger or from gradients that do not fit what they say.
  Status Serve(Incarnation sender, const PushRequest& request, const Message& message,
               PushReply& reply);

 private:
  // What a push brings, after it was checked.
  struct Gradients {
    std::span<std::byte* const> rows;
    std::span<const float> of_rows;
    std::span<const uint32_t> counts;
    std::string_view chunk_bits;  // empty: no chunk
    std::span<const float> of_chunks;
  };

  StatusOr<Gradients> ReadGradients(Incarnation sender, const PushRequest& request,
                                    const Message& message);
  StatusOr<std::span<std::byte* const>> FindRows(Incarnation sender, const PushRequest& request,
                                                 std::span<const Key> keys);
  StatusOr<std::span<std::byte* const>> FindRowsByKey(const PushRequest& request,
                                                      std::span<const Key> keys);
  // Leaves only what belongs to groups that the batch is new to.
  void DropAppliedRows(const PushRequest& request, Gradients& gradients);
  void DropAppliedChunks(Gradients& gradients);
  void Apply(const PushRequest& request, const Gradients& gradients);

  LaneState& state_;
  Clock& clock_;
  std::vector<std::byte*> rows_;
  std::string chunk_bits_;
  std::vector<float> chunk_gradients_;
};

}  // namespace antiphon
