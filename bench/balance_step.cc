// What balancing tasks costs a training step: ModelRunner::Train on the reference workload with
// four towers, with fixed weights and with each loss_weight_strategy, in turns (A B A B ...), so
// that other work on the machine disturbs both alike. Printed is the median over rounds of the time
// of a strategy over that of the fixed weights right before it, in processor time.
//
//   bench/balance_step [--batch=512] [--rounds=N]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <google/protobuf/text_format.h>

#include "bench/figures.h"
#include "bench/model_workload.h"
#include "common/base/logging.h"
#include "common/base/text.h"
#include "models/model_runner.h"
#include "models/parameter_schema.h"

namespace antiphon {
namespace {

constexpr uint32_t kTasks = 4;
constexpr int kSamplesARound = 8192;

double ProcessorSeconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// A runner with its workload.
class Contestant {
 public:
  Contestant(const std::string& strategy, uint32_t batch_rows, const Gemm& gemm) {
    Job job = ReferenceJob(kTasks);
    CHECK(google::protobuf::TextFormat::MergeFromString("model_config { " + strategy + " }", &job));
    const ParameterSchema schema = BuildParameterSchema(job).value();
    work_ = std::make_unique<Workload>(schema, batch_rows);
    runner_ = ModelRunner::Create(job, schema, gemm, {.compute_threads = 1}).value();
  }

  // Processor time of `steps` steps of different batches.
  double Run(int steps) {
    const double begin = ProcessorSeconds();
    for (int i = 0; i < steps; ++i) {
      runner_->Train(work_->input(), ++seed_, gradients_, output_);
    }
    return ProcessorSeconds() - begin;
  }

 private:
  std::unique_ptr<Workload> work_;
  std::unique_ptr<ModelRunner> runner_;
  uint64_t seed_ = 0;
  StepGradients gradients_;
  StepOutput output_;
};

void Compare(const std::string& strategy, uint32_t batch_rows, int rounds, const Gemm& gemm) {
  Contestant fixed("", batch_rows, gemm);
  Contestant balanced(strategy, batch_rows, gemm);
  const int steps = std::max(8, kSamplesARound / static_cast<int>(batch_rows));
  std::vector<double> ratio;
  for (int round = -1; round < rounds; ++round) {
    const double plain = fixed.Run(steps);
    const double with = balanced.Run(steps);
    if (round >= 0) {  // the first one warms up
      ratio.push_back(with / plain);
    }
  }
  std::printf("batch %u: %-78s %+.1f %%  (%+.1f .. %+.1f)\n", batch_rows, strategy.c_str(),
              100 * (Median(ratio) - 1), 100 * (Quantile(ratio, 0.0) - 1),
              100 * (Quantile(ratio, 1.0) - 1));
}

int Main(int argc, char** argv) {
  uint32_t batch_rows = 512;
  int rounds = 15;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const uint64_t number = ParseUint(argument.substr(argument.find('=') + 1)).value_or(0);
    if (argument.starts_with("--batch=") && number > 0) {
      batch_rows = static_cast<uint32_t>(number);
    } else if (argument.starts_with("--rounds=") && number > 0) {
      rounds = static_cast<int>(number);
    } else {
      std::fprintf(stderr, "%s: expected --batch=N or --rounds=N\n", argv[i]);
      return 2;
    }
  }
  PrintHeading(CommandOf(argc, argv));
  const Gemm gemm = Gemm::Create(GemmBackend::kAuto);
  for (const char* strategy :
       {"", "loss_weight_strategy: GradNorm",
        "loss_weight_strategy: GradNorm grad_norm { update_every: 1 }",
        "loss_weight_strategy: GradNorm grad_norm { update_every: 1 source: ACTIVATION }",
        "loss_weight_strategy: Uncertainty", "loss_weight_strategy: DWA",
        "loss_weight_strategy: PCGrad"}) {
    Compare(strategy, batch_rows, rounds, gemm);
  }
  return 0;
}

}  // namespace
}  // namespace antiphon

int main(int argc, char** argv) {
  return antiphon::Main(argc, argv);
}
