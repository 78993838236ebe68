// How fast a worker trains without a server: ModelRunner::Train on the reference workload (26
// fields of dim 16 from a Zipf law over a million rows, 13 numbers, MMoE with 8 experts 256-128 and
// 2 towers 64-32), for every matrix library of this build, batch sizes and compute threads.
//
//   bench/model_step [--batch=512,4096] [--threads=1,2] [--gemm=eigen,openblas,onednn] [--rounds=N]
//
// Rates are of wall time; beside them stands what a processor-second trains, which other work on
// the machine disturbs less.
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include "bench/figures.h"
#include "bench/model_workload.h"
#include "common/base/clock.h"
#include "common/base/text.h"
#include "models/model_runner.h"
#include "models/parameter_schema.h"

namespace antiphon {
namespace {

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

double ProcessorSeconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

void Measure(const Job& job, const Gemm& gemm, uint32_t batch_rows, int threads, int rounds) {
  const ParameterSchema schema = BuildParameterSchema(job).value();
  const Workload work(schema, batch_rows);
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
      runner->Train(work.input(), 1, gradients, output);
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
  PrintHeading(CommandOf(argc, argv));
  const Job job = ReferenceJob(2);
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
