// DenseMirror: a worker's copy of the dense blocks, kept up to date chunk by chunk.
//
// Lanes send the chunks that changed since the version the worker saw last; gradients go back cut
// into the same chunks, only those of blocks that the batch reached. Owned by the training thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/cluster/chunk_layout.h"
#include "common/wire/buffer.h"
#include "models/step.h"
#include "proto/cluster.pb.h"
#include "proto/parameters.pb.h"

namespace antiphon {

class DenseMirror {
 public:
  DenseMirror(const ParameterSchema& schema, const ClusterView& view);

  // Per block of the schema; zeros until the first pull.
  std::span<const std::span<const float>> blocks() const { return views_; }

  // What to ask `lane` for; grows with every Apply.
  uint64_t version(LaneId lane) const { return versions_[lane]; }

  // The lane is another one, with versions of its own.
  void Forget(LaneId lane) { versions_[lane] = 0; }

  // Takes over the chunks of a lane's reply. kDataLoss when bits and bytes do not agree.
  Status Apply(LaneId lane, const PullReply& reply, const Buffer& chunks);

  // The gradients of a lane's chunks, with their bits; only present blocks.
  Buffer Gather(LaneId lane, const StepGradients& gradients, BufferPool& pool,
                std::string& bits) const;

  // Scales the gradients of present blocks so that their joint L2 norm is at most `limit`.
  // Statistics and measurements are no gradients and stay as they are.
  void ClipByNorm(float limit, StepGradients& gradients) const;

 private:
  std::vector<std::vector<float>> values_;
  std::vector<std::span<const float>> views_;
  std::vector<std::vector<Chunk>> chunks_;  // per lane
  std::vector<uint64_t> versions_;          // per lane
  std::vector<BlockId> trained_;            // blocks that are pushed gradients
};

}  // namespace antiphon
