// DenseStore: the chunks of dense blocks that lie on one lane.
//
// A chunk has values, optimizer state, the number of its updates, and the store's version at its
// last change, so that a worker gets only what changed since it last asked. Chunks are named by
// their index in LaneChunks; sets of chunks travel as bits, bit i of byte i/8. Owned by a Lane and
// used on its thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "common/base/types.h"
#include "common/cluster/chunk_layout.h"
#include "common/optim/dense_optimizer.h"
#include "common/optim/loss_balance.h"
#include "proto/parameters.pb.h"

namespace antiphon {

// One chunk as a snapshot holds it.
struct DenseChunk {
  const Chunk* place = nullptr;
  uint64_t steps = 0;
  std::span<const float> values;
  std::span<const float> state;
};

// Takes what a cut of a store gives away; the spans are good during the call.
class ChunkSink {
 public:
  virtual ~ChunkSink() = default;
  virtual void Take(const DenseChunk& chunk) = 0;
};

class DenseStore {
 public:
  // `chunks` are the lane's of `schema`, which passed CheckSchema. Fails when an optimizer or an
  // initializer of a block does.
  static StatusOr<std::unique_ptr<DenseStore>> Create(const ParameterSchema& schema,
                                                      const std::vector<Chunk>& chunks);

  // What `schema` makes of this store, which it contains (common/optim/schema_growth.h): every
  // chunk with its state as it stands, and new ones as they begin. An open cut gets the rest of its
  // chunks first and ends. This store is then to be given up; on an error it is what it was.
  StatusOr<std::unique_ptr<DenseStore>> Grow(const ParameterSchema& schema,
                                             const std::vector<Chunk>& chunks);

  // Grows with every change, from 1; so 0 is older than everything.
  uint64_t version() const { return version_; }

  // Makes `bits` those of the chunks that changed after `version`.
  void ChangedSince(uint64_t version, std::string& bits) const;

  // How many floats the chunks of these bits have together. kInvalidArgument when there are more or
  // fewer bits than chunks: bits come from peers.
  StatusOr<size_t> FloatsOf(std::string_view chunk_bits) const;

  // The values of the chunks, one after the other. `out` has FloatsOf(chunk_bits) floats.
  void Read(std::string_view chunk_bits, std::span<float> out) const;

  // One update of every chunk of the bits; the others do not move. `gradients` has
  // FloatsOf(chunk_bits) floats. What holds the weights of tasks waits for the end of the step.
  void Apply(std::string_view chunk_bits, std::span<const float> gradients);

  // The pushes of a step are all there: one update of the weights of tasks that were measured. A
  // snapshot knows nothing of measurements of a step that has not ended.
  void EndStep();

  // Begins to give `sink`, which outlives the cut, every chunk as it stands now: each one when
  // AdvanceCut comes to it, or just before it changes. No cut is open.
  void BeginCut(ChunkSink& sink);
  // Gives away chunks of about `floats` floats. False once the cut has all of them and is over.
  bool AdvanceCut(size_t floats);
  // Nobody wants the rest.
  void AbandonCut();

  size_t chunk_count() const { return chunks_.size(); }
  DenseChunk chunk(size_t index) const;

  // Puts back a chunk of a snapshot. kNotFound when it is not of this lane, kInvalidArgument when a
  // size differs.
  Status Restore(BlockId block, uint32_t index, uint64_t steps, std::span<const float> values,
                 std::span<const float> state);

  // Takes the chunks of this list that `other`, a store of the same schema, has as well, with their
  // state, their steps, and what was measured of a step that has not ended.
  void TakeFrom(DenseStore& other);

  uint64_t floats() const { return value_floats_; }
  // Of values and state.
  uint64_t bytes() const { return floats_.size() * sizeof(float); }

 private:
  struct Entry {
    Chunk place;
    const DenseOptimizer* optimizer = nullptr;
    size_t values_at = 0;  // in floats_
    size_t state_at = 0;
    size_t state_floats = 0;
    uint64_t steps = 0;
    uint64_t changed_at = 1;
    bool awaits_cut = false;                     // a cut is open that has not reached it
    std::unique_ptr<StepMeasurements> measured;  // of the weights of tasks; else null
  };

  DenseStore() = default;

  void Update(Entry& entry, const float* gradient);
  void GiveAway(Entry& entry);
  Entry* Find(BlockId block, uint32_t index);
  DenseChunk ChunkOf(const Entry& entry) const;

  // Calls visit(entry) for every chunk whose bit is set.
  template <typename Visit>
  void ForEachSet(std::string_view chunk_bits, Visit visit) const;

  std::vector<std::unique_ptr<DenseOptimizer>> optimizers_;  // by block; null: no chunk of it here
  std::vector<Entry> chunks_;
  std::vector<size_t> measured_;  // chunks that hold the weights of tasks
  std::vector<float> floats_;     // each chunk's values, then its state
  uint64_t value_floats_ = 0;
  uint64_t version_ = 1;
  ChunkSink* cut_ = nullptr;  // null: no cut is open
  size_t next_of_cut_ = 0;
};

}  // namespace antiphon
