#include "serving/served_state.h"

#include "common/ckpt/sealed_message.h"

namespace antiphon {
namespace {

constexpr SealKind kStateKind = {.magic = "APSERV\r\n", .format = 1, .max_bytes = 1U << 30};

}  // namespace

StatusOr<std::string> EncodeServedState(const TrainedModel& model) {
  ServedState state;
  *state.mutable_plan() = model.plan();
  state.mutable_plan()->clear_partitions();
  for (BlockId id = 0; id < static_cast<BlockId>(model.plan().schema().blocks_size()); ++id) {
    const std::span<const float> block = model.block(id);
    state.add_blocks()->mutable_values()->Add(block.begin(), block.end());
  }
  return SealMessage(kStateKind, state);
}

StatusOr<ServedState> DecodeServedState(std::span<const std::byte> bytes) {
  if (bytes.size() < kSealBytes) {
    return DataLossError("it has " + std::to_string(bytes.size()) + " bytes, expected at least " +
                         std::to_string(kSealBytes));
  }
  AP_ASSIGN_OR_RETURN(const Seal seal, DecodeSeal(kStateKind, bytes.first<kSealBytes>()));
  ServedState state;
  AP_RETURN_IF_ERROR(OpenSealed(seal, bytes.subspan(kSealBytes), state));
  const ParameterSchema& schema = state.plan().schema();
  if (state.blocks_size() != schema.blocks_size()) {
    return DataLossError("it has " + std::to_string(state.blocks_size()) +
                         " blocks, its plan has " + std::to_string(schema.blocks_size()));
  }
  for (int i = 0; i < schema.blocks_size(); ++i) {
    const uint64_t floats = uint64_t{schema.blocks(i).rows()} * schema.blocks(i).cols();
    if (static_cast<uint64_t>(state.blocks(i).values_size()) != floats) {
      return DataLossError("block \"" + schema.blocks(i).name() + "\" has " +
                           std::to_string(state.blocks(i).values_size()) + " values, expected " +
                           std::to_string(floats));
    }
  }
  return state;
}

}  // namespace antiphon
