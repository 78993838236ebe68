#include "worker/dense_mirror.h"

#include <cmath>
#include <cstring>

namespace antiphon {
namespace {

bool HasBit(const std::string& bits, size_t i) {
  return i / 8 < bits.size() && ((static_cast<uint8_t>(bits[i / 8]) >> (i % 8)) & 1) != 0;
}

}  // namespace

DenseMirror::DenseMirror(const ParameterSchema& schema, const ClusterView& view)
    : versions_(static_cast<size_t>(view.lanes_size()), 0) {
  for (const BlockSpec& block : schema.blocks()) {
    if (!block.optimizer().has_decayed_sums() && !block.has_loss_balance()) {
      trained_.push_back(static_cast<BlockId>(values_.size()));
    }
    values_.emplace_back(BlockFloats(block), 0.0F);
  }
  views_.assign(values_.begin(), values_.end());
  const std::vector<LaneId> lane_of_shard(view.lane_of_shard().begin(), view.lane_of_shard().end());
  for (LaneId lane = 0; lane < versions_.size(); ++lane) {
    chunks_.push_back(LaneChunks(schema, lane_of_shard, lane));
  }
}

Status DenseMirror::Apply(LaneId lane, const PullReply& reply, const Buffer& chunks) {
  size_t offset = 0;
  for (size_t i = 0; i < chunks_[lane].size(); ++i) {
    if (!HasBit(reply.chunk_bits(), i)) {
      continue;
    }
    const Chunk& chunk = chunks_[lane][i];
    const size_t bytes = chunk.floats * sizeof(float);
    if (offset + bytes > chunks.size()) {
      return DataLossError("lane " + std::to_string(lane) +
                           " sent fewer dense chunks than it says");
    }
    std::memcpy(values_[chunk.block].data() + chunk.offset, chunks.data() + offset, bytes);
    offset += bytes;
  }
  if (offset != chunks.size()) {
    return DataLossError("lane " + std::to_string(lane) + " sent more dense chunks than it says");
  }
  versions_[lane] = reply.dense_version();
  return Status();
}

Buffer DenseMirror::Gather(LaneId lane, const StepGradients& gradients, BufferPool& pool,
                           std::string& bits) const {
  const std::vector<Chunk>& chunks = chunks_[lane];
  bits.assign((chunks.size() + 7) / 8, '\0');
  size_t bytes = 0;
  for (size_t i = 0; i < chunks.size(); ++i) {
    if (gradients.block_present[chunks[i].block] != 0) {
      bits[i / 8] = static_cast<char>(static_cast<uint8_t>(bits[i / 8]) | 1U << (i % 8));
      bytes += chunks[i].floats * sizeof(float);
    }
  }
  Buffer buffer = pool.Acquire(bytes);
  std::byte* out = buffer.mutable_data();
  for (size_t i = 0; i < chunks.size(); ++i) {
    if (HasBit(bits, i)) {
      const size_t size = chunks[i].floats * sizeof(float);
      std::memcpy(out, gradients.blocks[chunks[i].block].data() + chunks[i].offset, size);
      out += size;
    }
  }
  return buffer;
}

void DenseMirror::ClipByNorm(float limit, StepGradients& gradients) const {
  double sum = 0;
  for (const BlockId block : trained_) {
    if (gradients.block_present[block] != 0) {
      for (const float g : gradients.blocks[block]) {
        sum += static_cast<double>(g) * g;
      }
    }
  }
  const double norm = std::sqrt(sum);
  if (!(norm > limit)) {
    return;
  }
  const float scale = static_cast<float>(limit / norm);
  for (const BlockId block : trained_) {
    if (gradients.block_present[block] != 0) {
      for (float& g : gradients.blocks[block]) {
        g *= scale;
      }
    }
  }
}

}  // namespace antiphon
