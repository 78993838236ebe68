// PullService: answers a pull with rows and with the dense chunks that changed.
//
// It remembers where the rows of a training pull lie, for the push that will answer it; a repeated
// pull replaces that. Owned by a Lane, used on its thread; its scratch memory is kept, so that a
// steady state allocates nothing.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "common/base/status.h"
#include "common/base/types.h"
#include "common/wire/frame.h"
#include "proto/cluster.pb.h"
#include "server/lane_state.h"

namespace antiphon {

class PullService {
 public:
  PullService(LaneState& state, BufferPool& pool) : state_(state), pool_(pool) {}

  // Fills in the reply: its message, and the frames `rows` and `chunks`. kInvalidArgument: the
  // request contradicts itself, or its answer would be too large; kWrongShard: a key is not ours.
  Status Serve(Incarnation sender, const PullRequest& request, const Message& message,
               PullReply& reply, std::span<Buffer, 2> frames);

 private:
  // Looks up the rows of all slices and copies their weights.
  Status ReadRows(const PullRequest& request, std::span<const Key> keys, std::span<std::byte*> rows,
                  std::span<float> weights) const;

  LaneState& state_;
  BufferPool& pool_;
  std::vector<std::byte*> rows_;  // of a pull that nobody will answer
};

}  // namespace antiphon
