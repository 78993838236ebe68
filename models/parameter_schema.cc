#include "models/parameter_schema.h"

#include <set>
#include <string>
#include <vector>

#include "common/data/field_error.h"
#include "models/input_layout.h"
#include "models/model.h"
#include "models/model_config_check.h"
#include "models/sequence_inputs.h"
#include "models/task_balance.h"

namespace antiphon {

StatusOr<ParameterSchema> BuildParameterSchema(const Job& job) {
  const std::vector<FieldError> errors = CheckModelConfig(job);
  if (!errors.empty()) {
    return InvalidArgumentError(errors.front().path + ": " + errors.front().message);
  }
  const auto& optimizers = job.train_config().optimizer_config();
  if (optimizers.empty()) {
    return InvalidArgumentError("train_config.optimizer_config: is missing");
  }
  const InputLayout layout = MakeInputLayout(job);
  BlockList blocks;
  const SequenceInputs sequences(layout, blocks);
  MakeModel<float>(job.model_config(), layout.shape, blocks);
  const TaskBalance balance(job.model_config(), blocks);
  ParameterSchema schema;
  schema.set_seed(job.seed());
  schema.set_shard_count(job.sharding().num_shards());
  schema.set_chunk_floats(kChunkFloats);
  for (const TableSpec& table : layout.tables) {
    *schema.add_tables() = table;
  }
  std::set<std::string> names;
  for (const BlockSpec& block : blocks.specs()) {
    BlockSpec& added = *schema.add_blocks();
    added = block;
    if (!block.has_optimizer() && !block.has_loss_balance()) {
      *added.mutable_optimizer() = optimizers.Get(optimizers.size() - 1);
    }
    // Snapshots know a block by its name.
    if (!names.insert(block.name()).second) {
      return InvalidArgumentError("model_config: two of the model's dense blocks are called \"" +
                                  block.name() + "\"; give the task tower another tower_name");
    }
  }
  return schema;
}

}  // namespace antiphon
