#include "server/dense_store.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "common/base/logging.h"
#include "common/optim/initializer.h"

namespace antiphon {
namespace {

bool IsSet(std::string_view bits, size_t i) {
  return (static_cast<unsigned char>(bits[i / 8]) >> (i % 8) & 1) != 0;
}

}  // namespace

StatusOr<std::unique_ptr<DenseStore>> DenseStore::Create(const ParameterSchema& schema,
                                                         const std::vector<Chunk>& chunks) {
  std::unique_ptr<DenseStore> store(new DenseStore());
  const auto block_count = static_cast<size_t>(schema.blocks_size());
  store->optimizers_.resize(block_count);
  std::vector<InitialValues> initial_values(block_count);
  for (size_t block = 0; block < block_count; ++block) {
    const BlockSpec& spec = schema.blocks(static_cast<int>(block));
    const std::string where = "block '" + spec.name() + "'";
    auto optimizer = MakeBlockOptimizer(spec, schema.chunk_floats());
    if (!optimizer.ok()) {
      return optimizer.status().WithContext(where);
    }
    auto values = InitialValues::Create(spec.initializer());
    if (!values.ok()) {
      return values.status().WithContext(where);
    }
    store->optimizers_[block] = std::move(optimizer).value();
    initial_values[block] = *values;
  }

  size_t end = 0;
  for (const Chunk& place : chunks) {
    CHECK_LT(place.block, block_count);
    Entry entry;
    entry.place = place;
    entry.optimizer = store->optimizers_[place.block].get();
    entry.state_floats = entry.optimizer->state_floats(place.floats);
    entry.values_at = end;
    entry.state_at = end + place.floats;
    end = entry.state_at + entry.state_floats;
    store->value_floats_ += place.floats;
    if (schema.blocks(static_cast<int>(place.block)).has_loss_balance()) {
      entry.measured = std::make_unique<StepMeasurements>();
      store->measured_.push_back(store->chunks_.size());
    }
    store->chunks_.push_back(std::move(entry));
  }
  store->floats_.resize(end);
  for (const Entry& entry : store->chunks_) {
    float* const values = store->floats_.data() + entry.values_at;
    initial_values[entry.place.block].Fill(BlockStream(schema.seed(), entry.place.block),
                                           entry.place.offset, {values, entry.place.floats});
    entry.optimizer->InitState(entry.place.floats, values, store->floats_.data() + entry.state_at);
  }
  return store;
}

StatusOr<std::unique_ptr<DenseStore>> DenseStore::Grow(const ParameterSchema& schema,
                                                       const std::vector<Chunk>& chunks) {
  AdvanceCut(std::numeric_limits<size_t>::max());
  AP_ASSIGN_OR_RETURN(std::unique_ptr<DenseStore> grown, Create(schema, chunks));
  grown->version_ = version_;
  for (const Entry& entry : chunks_) {
    const DenseChunk chunk = ChunkOf(entry);
    AP_RETURN_IF_ERROR(grown->Restore(entry.place.block, entry.place.index, entry.steps,
                                      chunk.values, chunk.state));
  }
  // Bits of chunks mean others now: whoever asks gets all of them.
  ++grown->version_;
  for (Entry& entry : grown->chunks_) {
    entry.changed_at = grown->version_;
  }
  // New chunks come behind, so those that measure are the first of theirs.
  for (size_t i = 0; i < measured_.size(); ++i) {
    Entry& entry = grown->chunks_[grown->measured_[i]];
    entry.measured = std::move(chunks_[measured_[i]].measured);
    entry.measured->Widen(entry.place.floats / kBalanceRows);
  }
  return grown;
}

template <typename Visit>
void DenseStore::ForEachSet(std::string_view chunk_bits, Visit visit) const {
  CHECK_EQ(chunk_bits.size(), (chunks_.size() + 7) / 8);
  for (size_t i = 0; i < chunks_.size(); ++i) {
    if (IsSet(chunk_bits, i)) {
      visit(i);
    }
  }
}

void DenseStore::ChangedSince(uint64_t version, std::string& bits) const {
  bits.assign((chunks_.size() + 7) / 8, '\0');
  for (size_t i = 0; i < chunks_.size(); ++i) {
    if (chunks_[i].changed_at > version) {
      bits[i / 8] = static_cast<char>(bits[i / 8] | 1 << (i % 8));
    }
  }
}

StatusOr<size_t> DenseStore::FloatsOf(std::string_view chunk_bits) const {
  if (chunk_bits.size() != (chunks_.size() + 7) / 8) {
    return InvalidArgumentError("chunk_bits has " + std::to_string(chunk_bits.size()) +
                                " bytes, expected " + std::to_string((chunks_.size() + 7) / 8) +
                                " for the " + std::to_string(chunks_.size()) +
                                " dense chunks of this lane");
  }
  for (size_t i = chunks_.size(); i < chunk_bits.size() * 8; ++i) {
    if (IsSet(chunk_bits, i)) {
      return InvalidArgumentError("chunk_bits names chunk " + std::to_string(i) +
                                  ", this lane has " + std::to_string(chunks_.size()));
    }
  }
  size_t total = 0;
  ForEachSet(chunk_bits, [&](size_t i) { total += chunks_[i].place.floats; });
  return total;
}

void DenseStore::Read(std::string_view chunk_bits, std::span<float> out) const {
  float* to = out.data();
  ForEachSet(chunk_bits, [&](size_t i) {
    const Entry& entry = chunks_[i];
    to = std::copy_n(floats_.data() + entry.values_at, entry.place.floats, to);
  });
  CHECK_EQ(to - out.data(), static_cast<ptrdiff_t>(out.size()));
}

void DenseStore::Apply(std::string_view chunk_bits, std::span<const float> gradients) {
  const uint64_t next_version = version_ + 1;
  const float* from = gradients.data();
  ForEachSet(chunk_bits, [&](size_t i) {
    Entry& entry = chunks_[i];
    if (entry.measured != nullptr) {
      entry.measured->Add({from, entry.place.floats});
    } else {
      entry.changed_at = next_version;
      Update(entry, from);
    }
    from += entry.place.floats;
  });
  CHECK_EQ(from - gradients.data(), static_cast<ptrdiff_t>(gradients.size()));
}

void DenseStore::EndStep() {
  for (const size_t i : measured_) {
    Entry& entry = chunks_[i];
    if (!entry.measured->empty()) {
      entry.changed_at = version_ + 1;
      Update(entry, entry.measured->Take().data());
    }
  }
}

void DenseStore::Update(Entry& entry, const float* gradient) {
  GiveAway(entry);
  ++entry.steps;
  version_ = entry.changed_at;
  entry.optimizer->Apply(entry.place.floats, entry.steps, gradient,
                         floats_.data() + entry.values_at, floats_.data() + entry.state_at);
}

void DenseStore::BeginCut(ChunkSink& sink) {
  CHECK(cut_ == nullptr);
  cut_ = &sink;
  next_of_cut_ = 0;
  for (Entry& entry : chunks_) {
    entry.awaits_cut = true;
  }
}

bool DenseStore::AdvanceCut(size_t floats) {
  if (cut_ == nullptr) {
    return false;
  }
  for (size_t given = 0; next_of_cut_ < chunks_.size() && given < floats; ++next_of_cut_) {
    Entry& entry = chunks_[next_of_cut_];
    given += entry.awaits_cut ? entry.place.floats + entry.state_floats : 0;
    GiveAway(entry);
  }
  if (next_of_cut_ == chunks_.size()) {
    cut_ = nullptr;
  }
  return cut_ != nullptr;
}

void DenseStore::AbandonCut() {
  cut_ = nullptr;
  for (Entry& entry : chunks_) {
    entry.awaits_cut = false;
  }
}

void DenseStore::GiveAway(Entry& entry) {
  if (entry.awaits_cut) {
    entry.awaits_cut = false;
    cut_->Take(ChunkOf(entry));
  }
}

DenseChunk DenseStore::chunk(size_t index) const {
  return ChunkOf(chunks_[index]);
}

DenseChunk DenseStore::ChunkOf(const Entry& entry) const {
  return {.place = &entry.place,
          .steps = entry.steps,
          .values = {floats_.data() + entry.values_at, entry.place.floats},
          .state = {floats_.data() + entry.state_at, entry.state_floats}};
}

DenseStore::Entry* DenseStore::Find(BlockId block, uint32_t index) {
  const auto found = std::ranges::lower_bound(
      chunks_, std::pair(block, index), {},
      [](const Entry& entry) { return std::pair(entry.place.block, entry.place.index); });
  const bool is_it =
      found != chunks_.end() && found->place.block == block && found->place.index == index;
  return is_it ? &*found : nullptr;
}

void DenseStore::TakeFrom(DenseStore& other) {
  for (Entry& entry : chunks_) {
    Entry* const theirs = other.Find(entry.place.block, entry.place.index);
    if (theirs == nullptr) {
      continue;
    }
    const DenseChunk chunk = other.ChunkOf(*theirs);
    std::ranges::copy(chunk.values, floats_.begin() + static_cast<ptrdiff_t>(entry.values_at));
    std::ranges::copy(chunk.state, floats_.begin() + static_cast<ptrdiff_t>(entry.state_at));
    entry.steps = chunk.steps;
    entry.changed_at = ++version_;
    entry.measured.swap(theirs->measured);
  }
}

Status DenseStore::Restore(BlockId block, uint32_t index, uint64_t steps,
                           std::span<const float> values, std::span<const float> state) {
  const std::string name = "chunk " + std::to_string(index) + " of block " + std::to_string(block);
  Entry* const found = Find(block, index);
  if (found == nullptr) {
    return NotFoundError(name + " does not lie on this lane");
  }
  const std::span<float> floats(floats_);
  const Status adopted =
      found->optimizer->Adopt(values, state, floats.subspan(found->values_at, found->place.floats),
                              floats.subspan(found->state_at, found->state_floats));
  if (!adopted.ok()) {
    return adopted.WithContext(name);
  }
  found->steps = steps;
  found->changed_at = ++version_;
  return Status();
}

}  // namespace antiphon
