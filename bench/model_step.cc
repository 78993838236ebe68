// How fast a worker trains without a server: ModelRunner::Train on the reference workload (26
// fields of dim 16 from a Zipf law over a million rows, 13 numbers, MMoE with 8 experts 256-128 and
// 2 towers 64-32), for every matrix library of this build, batch sizes and compute threads.
//
//   bench/model_step [--batch=512,4096] [--threads=1,2] [--gemm=eigen,openblas,onednn] [--rounds=N]
//
// Rates are of wall time; beside them stands what a processor-second trains, which other work on
// the machine disturbs less.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "bench/figures.h"
#include "common/base/clock.h"
#include "common/base/rng.h"
#include "common/base/text.h"
#include "common/optim/initializer.h"
#include "models/model_runner.h"
#include "models/parameter_schema.h"

namespace antiphon {
namespace {

constexpr uint32_t kFields = 26;
constexpr uint32_t kDim = 16;
constexpr uint32_t kNumbers = 13;
constexpr uint64_t kTableRows = 1'000'000;

struct Options {
  std::vector<uint32_t> batches = {512, 4096};
  std::vector<int> threads = {1, 2};
  std::vector<std::string> libraries = {"eigen", "openblas", "onednn"};
  int rounds = 7;
};

bool ParseOptions(int argc, char** argv, Options* options) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const size_t equals = argument.find('=');
    const std::string_view name = argument.substr(0, equals);
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view() : argument.substr(equals + 1);
    const std::vector<std::string_view> list = Split(value, ",");
    if (name == "--gemm") {
      options->libraries.assign(list.begin(), list.end());
      continue;
    }
    std::vector<uint32_t> numbers;
    numbers.reserve(list.size());
    for (const std::string_view text : list) {
      numbers.push_back(static_cast<uint32_t>(ParseUint(text).value_or(0)));
    }
    if (numbers.front() == 0) {
      std::fprintf(stderr, "%s: expected numbers above 0\n", argv[i]);
      return false;
    }
    if (name == "--batch") {
      options->batches = numbers;
    } else if (name == "--threads") {
      options->threads.assign(numbers.begin(), numbers.end());
    } else if (name == "--rounds") {
      options->rounds = static_cast<int>(numbers.front());
    } else {
      std::fprintf(stderr, "%s: unknown\n", argv[i]);
      return false;
    }
  }
  return true;
}

Job ReferenceJob() {
  Job job;
  job.mutable_train_config()->add_optimizer_config()->mutable_rowwise_adagrad_optimizer();
  job.mutable_train_config()->add_optimizer_config()->mutable_adam_optimizer();
  ModelConfig& model = *job.mutable_model_config();
  model.set_model_class("MMoE");
  FeatureGroup& group = *model.add_feature_groups();
  group.set_group_name("all");
  for (uint32_t i = 0; i < kFields + kNumbers; ++i) {
    FeatureConfig& feature = *job.mutable_feature_config()->add_features();
    feature.set_feature_name("f" + std::to_string(i));
    group.add_feature_names(feature.feature_name());
    if (i < kFields) {
      feature.set_embedding_name("table");
      feature.set_embedding_dim(kDim);
    } else {
      feature.set_feature_type(FeatureConfig::RawFeature);
    }
  }
  MMoE& mmoe = *model.mutable_mmoe();
  mmoe.set_num_expert(8);
  mmoe.mutable_expert_dnn()->add_hidden_units(256);
  mmoe.mutable_expert_dnn()->add_hidden_units(128);
  for (const char* name : {"click", "convert"}) {
    job.mutable_data_config()->add_label_fields(name);
    TaskTower& tower = *mmoe.add_task_towers();
    tower.set_tower_name(name);
    tower.set_label_name(name);
    tower.mutable_dnn()->add_hidden_units(64);
    tower.mutable_dnn()->add_hidden_units(32);
  }
  return job;
}

// A batch with rows and blocks, as a worker has it after a pull.
struct Workload {
  Batch batch;
  std::vector<std::vector<uint32_t>> row_of_value;
  std::vector<float> rows;
  std::vector<std::vector<float>> blocks;
  std::vector<std::span<const float>> table_spans;
  std::vector<std::span<const float>> block_spans;
  StepInput input;
};

void FillRows(uint32_t batch_rows, Rng& rng, Workload& work) {
  constexpr double kExponent = 1.05;
  const double span = std::pow(static_cast<double>(kTableRows), 1 - kExponent) - 1;
  std::unordered_map<uint64_t, uint32_t> index;
  work.batch.sparse.resize(kFields);
  work.row_of_value.resize(kFields);
  for (uint32_t f = 0; f < kFields; ++f) {
    for (uint32_t r = 0; r < batch_rows; ++r) {
      const double rank = std::pow(span * rng.Uniform() + 1, 1 / (1 - kExponent));
      const uint64_t key =
          (static_cast<uint64_t>(rank) * 2654435761U + uint64_t{f} * 40503) % kTableRows;
      const auto entry = index.emplace(key, static_cast<uint32_t>(index.size())).first;
      work.batch.sparse[f].offsets.push_back(r);
      work.row_of_value[f].push_back(entry->second);
    }
    work.batch.sparse[f].offsets.push_back(batch_rows);
  }
  work.rows.resize(index.size() * kDim);
  for (float& x : work.rows) {
    x = static_cast<float>(rng.Normal() * 0.1);
  }
}

Workload MakeWorkload(const ParameterSchema& schema, uint32_t batch_rows) {
  Rng rng(batch_rows);
  Workload work;
  work.batch.rows = batch_rows;
  FillRows(batch_rows, rng, work);
  work.batch.dense_width = kNumbers;
  for (uint32_t i = 0; i < batch_rows * kNumbers; ++i) {
    work.batch.dense.push_back(static_cast<float>(rng.Uniform()));
  }
  work.batch.labels.resize(2);
  for (std::vector<float>& labels : work.batch.labels) {
    for (uint32_t r = 0; r < batch_rows; ++r) {
      labels.push_back(rng.Chance(0.2) ? 1.0F : 0.0F);
    }
  }
  for (int i = 0; i < schema.blocks_size(); ++i) {
    const BlockSpec& spec = schema.blocks(i);
    std::vector<float>& block = work.blocks.emplace_back(size_t{spec.rows()} * spec.cols());
    InitialValues::Create(spec.initializer())
        .value()
        .Fill(BlockStream(1, static_cast<BlockId>(i)), 0, block);
  }
  work.table_spans = {work.rows};
  work.block_spans.assign(work.blocks.begin(), work.blocks.end());
  work.input = {.batch = nullptr,
                .row_of_value = work.row_of_value,
                .table_rows = work.table_spans,
                .blocks = work.block_spans};
  return work;
}

double ProcessorSeconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

void Measure(const Job& job, const Gemm& gemm, uint32_t batch_rows, int threads, int rounds) {
  const ParameterSchema schema = BuildParameterSchema(job).value();
  Workload work = MakeWorkload(schema, batch_rows);
  work.input.batch = &work.batch;
  const auto runner = ModelRunner::Create(job, schema, gemm, {.compute_threads = threads}).value();
  StepGradients gradients;
  StepOutput output;
  SystemClock clock;
  const int steps = std::max(1, static_cast<int>(8192 / batch_rows));
  std::vector<double> wall;
  std::vector<double> processor;
  for (int round = -1; round < rounds; ++round) {
    const Time begin = clock.Now();
    const double processor_begin = ProcessorSeconds();
    for (int step = 0; step < steps; ++step) {
      runner->Train(work.input, 1, gradients, output);
    }
    if (round >= 0) {  // the first one warms up
      wall.push_back(SecondsBetween(begin, clock.Now()));
      processor.push_back(ProcessorSeconds() - processor_begin);
    }
  }
  const std::string name = std::string(GemmBackendName(gemm.backend())) + ", batch " +
                           std::to_string(batch_rows) + ", " + std::to_string(threads) +
                           " threads: samples";
  const double samples = static_cast<double>(steps) * batch_rows;
  PrintFigure(name + "/s", samples, wall);
  PrintFigure(name + " a processor-second", samples, processor);
}

int Main(int argc, char** argv) {
  Options options;
  if (!ParseOptions(argc, argv, &options)) {
    return 2;
  }
  std::string command;
  for (int i = 0; i < argc; ++i) {
    command += std::string(i == 0 ? "" : " ") + argv[i];
  }
  PrintHeading(command);
  const Job job = ReferenceJob();
  for (const std::string& library : options.libraries) {
    const StatusOr<GemmBackend> backend = ParseGemmBackend(library);
    if (!backend.ok()) {
      std::fprintf(stderr, "%s\n", backend.status().message().c_str());
      return 2;
    }
    const Gemm gemm = Gemm::Create(*backend);
    for (const uint32_t batch : options.batches) {
      for (const int threads : options.threads) {
        Measure(job, gemm, batch, threads, options.rounds);
      }
    }
  }
  return 0;
}

}  // namespace
}  // namespace antiphon

int main(int argc, char** argv) {
  return antiphon::Main(argc, argv);
}
