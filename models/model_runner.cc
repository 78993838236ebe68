#include "models/model_runner.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>

#include "common/base/logging.h"
#include "models/parameter_schema.h"

namespace antiphon {
namespace {

// Rows that go through the layers together: enough for a matrix product to be at its best, few
// enough for their activations to stay in cache (measured: bench/model_step, 256 to 4096).
constexpr uint32_t kRowsAtOnce = 1024;
// The same for items of sequences, each of which is a row of an attention's layers.
constexpr size_t kItemsAtOnce = 8192;

// The columns of task weights may stand in any order.
bool SameShape(const BlockSpec& a, const BlockSpec& b) {
  const auto& tasks = a.loss_balance().tasks();
  return a.rows() == b.rows() && a.cols() == b.cols() &&
         std::is_permutation(tasks.begin(), tasks.end(), b.loss_balance().tasks().begin(),
                             b.loss_balance().tasks().end());
}

// Where the model's blocks stand in the schema. A job that went on from a smaller one's snapshot
// has them in another order than the model made them.
StatusOr<std::vector<BlockId>> FindBlocks(const Job& job, const ParameterSchema& schema) {
  AP_ASSIGN_OR_RETURN(const ParameterSchema expected, BuildParameterSchema(job));
  const auto same_tables =
      std::equal(schema.tables().begin(), schema.tables().end(), expected.tables().begin(),
                 expected.tables().end(), [](const TableSpec& a, const TableSpec& b) {
                   return a.name() == b.name() && a.dim() == b.dim();
                 });
  std::map<std::string, BlockId> places;
  for (int i = 0; i < schema.blocks_size(); ++i) {
    places.emplace(schema.blocks(i).name(), static_cast<BlockId>(i));
  }
  bool same_blocks = schema.blocks_size() == expected.blocks_size();
  std::vector<BlockId> found;
  for (int i = 0; i < expected.blocks_size() && same_blocks; ++i) {
    const BlockSpec& block = expected.blocks(i);
    const auto place = places.find(block.name());
    same_blocks =
        place != places.end() && SameShape(schema.blocks(static_cast<int>(place->second)), block);
    found.push_back(same_blocks ? place->second : 0);
  }
  if (!same_tables || !same_blocks) {
    return FailedPreconditionError(
        "the parameter schema has other tables or blocks than the model of this job");
  }
  return found;
}

}  // namespace

StatusOr<std::unique_ptr<ModelRunner>> ModelRunner::Create(const Job& job,
                                                           const ParameterSchema& schema,
                                                           const Gemm& gemm,
                                                           const ModelRunnerOptions& options) {
  AP_ASSIGN_OR_RETURN(std::vector<BlockId> block_places, FindBlocks(job, schema));
  if (options.compute_threads < 1) {
    return InvalidArgumentError("compute_threads: got " + std::to_string(options.compute_threads) +
                                ", expected 1 or more");
  }
  return std::unique_ptr<ModelRunner>(
      new ModelRunner(job, schema, std::move(block_places), gemm, options));
}

ModelRunner::ModelRunner(const Job& job, const ParameterSchema& schema,
                         std::vector<BlockId> block_places, const Gemm& gemm,
                         const ModelRunnerOptions& options)
    : gemm_(gemm),
      block_places_(std::move(block_places)),
      layout_(MakeInputLayout(job)),
      sequences_(layout_, block_list_),
      model_(MakeModel<float>(job.model_config(), layout_.shape, block_list_)),
      balance_(job.model_config(), block_list_),
      targets_(job),
      fork_join_(options.compute_threads) {
  balance_.PlaceBlocks(block_places_, schema);
  const size_t tasks = targets_.task_count();
  measured_.resize(tasks);
  for (int i = 0; i < options.compute_threads; ++i) {
    Slice& slice = *slices_.emplace_back(std::make_unique<Slice>(gemm_));
    slice.buffers.blocks.resize(block_list_.specs().size());
    slice.buffers.tables.resize(layout_.tables.size());
    slice.buffers.memory.resize(slice.buffers.blocks.size() + slice.buffers.tables.size());
    slice.blocks.resize(slice.buffers.blocks.size());
    slice.tables.resize(slice.buffers.tables.size());
    slice.logits.resize(model_->LogitCount(tasks));
    slice.targets.resize(tasks);
    slice.scales.resize(tasks);
    slice.sums.resize(tasks);
    slice.totals.resize(tasks);
    slice.square_sums.resize(tasks);
    probes_.push_back(&slice.probe);
  }
}

void ModelRunner::Train(const StepInput& input, uint64_t dropout_seed, StepGradients& gradients,
                        StepOutput& output) {
  step_.dropout_seed = dropout_seed;
  gradients.tables.resize(layout_.tables.size());
  gradients.blocks.resize(block_list_.specs().size());
  gradients.block_present.resize(block_list_.specs().size());
  for (size_t i = 0; i < gradients.tables.size(); ++i) {
    gradients.tables[i].resize(input.table_rows[i].size());
  }
  for (size_t i = 0; i < gradients.blocks.size(); ++i) {
    gradients.blocks[i].resize(input.blocks[i].size());
  }
  Run(input, &gradients, output);
  fork_join_.Run([this](int index) { MergeSlices(index); });
  if (balance_.projects()) {
    ProjectGradients();
  }
  PushBalance();
}

void ModelRunner::Score(const StepInput& input, StepOutput& output) {
  Run(input, nullptr, output);
}

void ModelRunner::Run(const StepInput& input, StepGradients* gradients, StepOutput& output) {
  step_.input = &input;
  step_.gradients = gradients;
  step_.output = &output;
  step_.measures_norms = gradients != nullptr && balance_.MeasuresNorms(step_.dropout_seed);
  targets_.Fill(*input.batch);
  order_.Sort(*input.batch, model_->grouping());
  balance_.ReadWeights(input.blocks);
  balance_.Describe(output);
  PlanScales();
  output.logits.resize(targets_.measure_count());
  for (std::vector<float>& logits : output.logits) {
    logits.resize(input.batch->rows);
  }
  fork_join_.Run([this](int index) { ComputeSlice(index); });
  output.loss = TotalLoss();
}

void ModelRunner::PlanScales() {
  step_.dense_scale.clear();
  step_.sum_scale.clear();
  step_.one_pass = !balance_.projects();
  double divisor = 0;  // of the tasks that have one
  for (size_t k = 0; k < targets_.task_count(); ++k) {
    const double own = targets_.divisor(k);
    const double weight = TowerWeight(k);
    const bool trains_embeddings = targets_.trains_embeddings(k);
    step_.sum_scale.push_back(trains_embeddings ? static_cast<float>(weight) : 0);
    step_.dense_scale.push_back(own > 0 ? static_cast<float>(weight / own) : 0);
    if (own > 0 && weight > 0) {
      step_.one_pass = step_.one_pass && trains_embeddings;
      step_.one_pass = step_.one_pass && (divisor == 0 || divisor == own);
      divisor = own;
    }
  }
  step_.table_factor = step_.one_pass && divisor > 0 ? static_cast<float>(divisor) : 1;
}

void ModelRunner::PrepareBuffers(int index) {
  Slice& slice = *slices_[static_cast<size_t>(index)];
  const StepInput& input = *step_.input;
  const size_t block_count = slice.blocks.size();
  const auto prepare = [&](GradBuffer<float>& buffer, size_t place, size_t size,
                           std::vector<float>* own) {
    std::vector<float>& memory = own != nullptr ? *own : slice.buffers.memory[place];
    memory.resize(size);
    buffer = {.data = memory.data(), .size = size, .live = false};
  };
  const bool first = index == 0;
  for (size_t i = 0; i < block_count; ++i) {
    const BlockId place = block_places_[i];
    prepare(slice.buffers.blocks[i], i, input.blocks[place].size(),
            first ? &step_.gradients->blocks[place] : nullptr);
  }
  for (size_t i = 0; i < slice.tables.size(); ++i) {
    prepare(slice.buffers.tables[i], block_count + i, input.table_rows[i].size(),
            first ? &step_.gradients->tables[i] : nullptr);
  }
}

void ModelRunner::ComputeSlice(int index) {
  Slice& slice = *slices_[static_cast<size_t>(index)];
  std::fill(slice.totals.begin(), slice.totals.end(), 0.0);
  if (step_.gradients != nullptr) {
    PrepareBuffers(index);
    slice.task_gradients.Start(balance_.projects() ? slice.scales.size() : 0, slice.blocks.size());
  }
  if (step_.measures_norms) {
    slice.shared = {};
    slice.shared.weight_is_probed = balance_.norm_source() == GradNormConfig::WEIGHT;
    slice.probe.Start(balance_.norm_source(), slice.scales.size());
  }
  const uint32_t end = SliceBegin(index + 1);
  for (uint32_t begin = SliceBegin(index); begin < end;) {
    const uint32_t next = WholeRequests(begin + RowsFrom(begin, end));
    ComputeRows(slice, begin, next - begin);
    begin = next;
  }
  if (step_.measures_norms && slice.shared.output) {
    slice.probe.AddToWeight(slice.tape, slice.shared);
  }
}

// How many rows of the slice go through the layers together.
uint32_t ModelRunner::RowsFrom(uint32_t begin, uint32_t end) const {
  if (step_.gradients != nullptr && model_->grouping() == RowGrouping::kWholeScenes) {
    // A scene's statistics are those of all its rows, so a model that has any gets them together.
    return std::min(order_.SceneEnd(begin), end) - begin;
  }
  const uint32_t rows = std::min(kRowsAtOnce, end - begin);
  return static_cast<uint32_t>(sequences_.RowsOfItems(
      *step_.input->batch, order_.rows().subspan(begin, rows), kItemsAtOnce));
}

uint32_t ModelRunner::SliceBegin(int index) const {
  const uint64_t rows = step_.input->batch->rows;
  const auto threads = static_cast<uint64_t>(fork_join_.threads());
  const auto begin = static_cast<uint32_t>(rows * static_cast<uint64_t>(index) / threads);
  if (begin == 0 || begin == rows || model_->grouping() != RowGrouping::kWholeScenes) {
    return WholeRequests(begin);
  }
  return order_.SceneEnd(begin - 1);  // where a scene begins, from here on
}

void ModelRunner::GatherTargets(Slice& slice, std::span<const uint32_t> rows) const {
  const size_t tasks = slice.targets.size();
  slice.labels.resize(tasks * rows.size());
  slice.weights.resize(tasks * rows.size());
  slice.requests.clear();
  for (size_t r = 0; r < rows.size() && targets_.has_ranking(); ++r) {
    slice.requests.push_back(step_.input->batch->request[rows[r]]);
  }
  for (size_t k = 0; k < tasks; ++k) {
    float* label = slice.labels.data() + k * rows.size();
    float* weight = slice.weights.data() + k * rows.size();
    for (size_t r = 0; r < rows.size(); ++r) {
      label[r] = targets_.label(k)[rows[r]];
      weight[r] = targets_.weight(k)[rows[r]];
    }
    slice.targets[k] = {.label = label, .weight = weight, .request = slice.requests.data()};
  }
}

uint32_t ModelRunner::WholeRequests(uint32_t row) const {
  if (!targets_.has_ranking() || row == 0) {
    return row;
  }
  // The order by scene keeps that by request: a request is of one scene.
  const std::vector<uint64_t>& request = step_.input->batch->request;
  const std::span<const uint32_t> rows = order_.rows();
  while (row < rows.size() && request[rows[row]] == request[rows[row - 1]]) {
    ++row;
  }
  return row;
}

void ModelRunner::ComputeRows(Slice& slice, uint32_t begin, uint32_t rows) {
  const StepInput& input = *step_.input;
  const bool train = step_.gradients != nullptr;
  const std::span<const uint32_t> batch_rows = order_.rows().subspan(begin, rows);
  Tape<float>& tape = slice.tape;
  tape.Reset(train ? Tape<float>::Recording::kYes : Tape<float>::Recording::kNo);
  for (size_t i = 0; i < slice.blocks.size(); ++i) {
    const BlockSpec& spec = block_list_.specs()[i];
    slice.blocks[i] = tape.Leaf(input.blocks[block_places_[i]].data(), spec.rows(), spec.cols(),
                                kParameters, train ? &slice.buffers.blocks[i] : nullptr);
  }
  for (size_t i = 0; i < slice.tables.size(); ++i) {
    const uint32_t dim = layout_.tables[i].dim();
    slice.tables[i] = tape.Leaf(input.table_rows[i].data(), input.table_rows[i].size() / dim, dim,
                                kInputs, train ? &slice.buffers.tables[i] : nullptr);
  }
  order_.CutScenes(begin, rows, slice.scenes);
  const Pass<float> pass{
      .tape = tape,
      .blocks = slice.blocks,
      .purpose = train ? Pass<float>::Purpose::kTrain : Pass<float>::Purpose::kScore,
      .dropout = {.seed = step_.dropout_seed, .first_row = begin},
      .scenes = slice.scenes,
      .shared = step_.measures_norms ? &slice.shared : nullptr};
  const Var<float> e = GatherInput(tape, layout_, input, slice.tables, batch_rows);
  sequences_.Fill(pass, input, slice.tables, batch_rows, e);
  model_->Forward(pass, e, slice.logits);
  for (size_t m = 0; m < step_.output->logits.size(); ++m) {
    const Var<float> predicted = model_->Predict(tape, slice.logits, m);
    for (uint32_t r = 0; r < rows; ++r) {
      step_.output->logits[m][batch_rows[r]] = *predicted.view().row(r);
    }
  }
  GatherTargets(slice, batch_rows);
  model_->Losses(tape, slice.logits, slice.targets, slice.scales, slice.sums);
  for (size_t k = 0; k < slice.sums.size(); ++k) {
    slice.totals[k] += slice.sums[k];
  }
  if (train) {
    Backward(slice);
  }
}

void ModelRunner::Backward(Slice& slice) const {
  const Gradients wanted = step_.one_pass ? kBoth : kParameters;
  if (balance_.projects()) {
    BackwardOfEachTask(slice);
  } else if (step_.measures_norms) {
    BackwardByTask(slice, wanted);
  } else {
    slice.scales = step_.dense_scale;
    slice.tape.Backward(wanted);
  }
  if (!step_.one_pass) {
    slice.scales = step_.sum_scale;
    slice.tape.DropGradients();
    slice.tape.Backward(kInputs);
  }
}

void ModelRunner::BackwardByTask(Slice& slice, Gradients wanted) const {
  const SharedLayer<float>& layer = slice.shared;
  CHECK(layer.output) << "the model has not said which layer its tasks share";
  slice.probe.Begin(layer);
  for (size_t k = 0; k < slice.scales.size(); ++k) {
    if (step_.dense_scale[k] != 0) {
      std::fill(slice.scales.begin(), slice.scales.end(), 0.0F);
      slice.scales[k] = step_.dense_scale[k];
      slice.tape.BackwardAbove(layer.above, wanted);
      slice.probe.Take(slice.tape, layer, k);
      slice.tape.DropGradientsAbove(layer.above);
    }
  }
  slice.probe.PutBack(layer);
  slice.tape.BackwardBelow(layer.above, wanted);
}

void ModelRunner::BackwardOfEachTask(Slice& slice) const {
  for (size_t k = 0; k < slice.scales.size(); ++k) {
    if (step_.dense_scale[k] != 0) {
      std::fill(slice.scales.begin(), slice.scales.end(), 0.0F);
      slice.scales[k] = step_.dense_scale[k];
      slice.tape.DropGradients();
      slice.tape.Backward(kParameters);
      slice.task_gradients.Take(k, slice.buffers.blocks);
    }
  }
}

void ModelRunner::ProjectGradients() {
  TaskGradients& sum = slices_.front()->task_gradients;
  for (size_t i = 1; i < slices_.size(); ++i) {
    sum.Add(slices_[i]->task_gradients);
  }
  sum.WriteTo(step_.dropout_seed, block_places_, *step_.gradients);
}

// The squares of the index-th part of every task's gradient, all slices added up.
void ModelRunner::SumSquares(int index) {
  std::vector<double>& sums = slices_[static_cast<size_t>(index)]->square_sums;
  for (size_t k = 0; k < sums.size(); ++k) {
    sums[k] = GradientProbe::SquareSum(probes_, k, static_cast<size_t>(index));
  }
}

void ModelRunner::PushBalance() {
  for (size_t k = 0; k < measured_.size(); ++k) {
    TaskMeasurement& task = measured_[k];
    task = {.present = targets_.divisor(k) > 0 && targets_.task_weight(k) > 0,
            .loss = TaskLossOf(k),
            .norm = 0};
    if (!step_.measures_norms || !task.present) {
      continue;
    }
    double square_sum = 0;
    bool reached = false;
    for (const auto& slice : slices_) {
      square_sum += slice->square_sums[k];
      reached = reached || slice->probe.reached(k);
    }
    // Not so for a task that is isolated from what the others share.
    task.present = reached;
    task.norm = std::sqrt(square_sum) / balance_.weight(k);
  }
  balance_.Push(measured_, step_.measures_norms, *step_.gradients);
}

void ModelRunner::MergeSlices(int index) {
  if (step_.measures_norms) {
    SumSquares(index);
  }
  for (size_t i = 0; i < layout_.tables.size(); ++i) {
    MergePart(&Buffers::tables, i, index);
  }
  for (size_t i = 0; i < block_list_.specs().size(); ++i) {
    MergePart(&Buffers::blocks, i, index);
    if (index == 0) {
      const bool present = std::any_of(slices_.begin(), slices_.end(), [i](const auto& slice) {
        return slice->buffers.blocks[i].live;
      });
      step_.gradients->block_present[block_places_[i]] = present ? 1 : 0;
    }
  }
}

// The index-th part of every gradient: parts do not overlap, so threads need not wait.
void ModelRunner::MergePart(BufferGroup group, size_t which, int index) {
  const auto buffer_of = [group, which](const Slice& slice) -> const GradBuffer<float>& {
    return (slice.buffers.*group)[which];
  };
  const GradBuffer<float>& result = buffer_of(*slices_.front());
  const auto threads = static_cast<size_t>(fork_join_.threads());
  const size_t begin = result.size * static_cast<size_t>(index) / threads;
  const size_t count = result.size * (static_cast<size_t>(index) + 1) / threads - begin;
  float* sum = result.data + begin;
  bool empty = !result.live;
  for (size_t s = 1; s < slices_.size(); ++s) {
    const GradBuffer<float>& part = buffer_of(*slices_[s]);
    if (!part.live) {
      continue;
    }
    if (empty) {
      std::copy_n(part.data + begin, count, sum);
    } else {
      BestKernels().add(count, part.data + begin, sum);
    }
    empty = false;
  }
  if (empty) {
    std::fill_n(sum, count, 0.0F);
  } else if (group == &Buffers::tables && step_.table_factor != 1) {
    BestKernels().scale(count, step_.table_factor, sum);
  }
}

double ModelRunner::TaskLossOf(size_t k) const {
  if (targets_.divisor(k) == 0) {
    return 0;
  }
  double sum = 0;
  for (const auto& slice : slices_) {
    sum += slice->totals[k];
  }
  return targets_.task_weight(k) * sum / targets_.divisor(k);
}

double ModelRunner::TotalLoss() const {
  double loss = 0;
  for (size_t k = 0; k < targets_.task_count(); ++k) {
    loss += balance_.weight(k) * TaskLossOf(k);
  }
  return loss;
}

}  // namespace antiphon
