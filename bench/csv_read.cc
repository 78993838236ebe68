// How many rows a second one thread reads: 40 used columns (7 numbers, 33 ids by hash), from a file
// in memory's cache to batches of 4096 samples, shuffled or not, plain and packed.
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unistd.h>
#include <utility>
#include <vector>

#include "bench/figures.h"
#include "common/base/file_system.h"
#include "common/base/logging.h"
#include "common/base/rng.h"
#include "common/data/job_defaults.h"
#include "stream/data_plan.h"
#include "stream/file_source.h"
#include "tests/stream/packed_text.h"

namespace antiphon {
namespace {

constexpr int kNumbers = 7;
constexpr int kIds = 33;

struct Options {
  uint64_t rows = 400'000;
  int rounds = 7;
};

double ProcessSeconds() {
  timespec now = {};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// About 220 bytes a row: whole numbers, fractions, short ids.
std::string MakeRows(uint64_t rows) {
  Rng rng(1);
  std::string text;
  for (uint64_t row = 0; row < rows; ++row) {
    text += rng.Chance(0.1) ? "1" : "0";
    for (int i = 0; i < kNumbers; ++i) {
      text += ',';
      text += std::to_string(rng.Below(100000));
      text += i % 2 == 0 ? ".25" : "";
    }
    for (int i = 0; i < kIds; ++i) {
      text += ",v";
      text += std::to_string(rng.Below(uint64_t{10} << (i % 14)));
    }
    text += '\n';
  }
  return text;
}

Job MakeJob(const std::string& path, bool is_shuffled) {
  Job job;
  job.add_train_input_path(path);
  DataConfig& data = *job.mutable_data_config();
  data.set_batch_size(4096);
  data.set_shuffle(is_shuffled);
  data.add_input_fields()->set_input_name("click");
  data.add_label_fields("click");
  for (int i = 0; i < kNumbers + kIds; ++i) {
    const std::string name = "f" + std::to_string(i);
    data.add_input_fields()->set_input_name(name);
    FeatureConfig& feature = *job.mutable_feature_config()->add_features();
    feature.add_input_names(name);
    if (i < kNumbers) {
      feature.set_feature_type(FeatureConfig::RawFeature);
      feature.add_normalizers(FeatureConfig::MIN_MAX);
    } else {
      feature.set_embedding_dim(8);
    }
  }
  FillDefaults(job);
  return job;
}

// Reads all partitions once; returns the rows.
uint64_t ReadAll(FileSource& source, const TrainingPlan& plan) {
  uint64_t rows = 0;
  Batch batch;
  for (int i = 0; i < plan.partitions_size(); ++i) {
    CHECK(source.Open(static_cast<PartitionId>(i), 0).ok());
    while (true) {
      const StatusOr<ReadOutcome> outcome = source.NextBatch(~Position{0}, batch);
      CHECK(outcome.ok()) << outcome.status();
      if (*outcome == ReadOutcome::kEnd) {
        break;
      }
      rows += batch.rows;
    }
  }
  return rows;
}

void Measure(const std::string& name, const Job& job, const Options& options) {
  PosixFileSystem fs;
  std::vector<double> plan_seconds;
  std::vector<double> read_seconds;
  for (int round = 0; round < options.rounds; ++round) {
    double begin = ProcessSeconds();
    const StatusOr<DataPlan> data = PlanData(job, "/", fs);
    CHECK(data.ok()) << data.status();
    plan_seconds.push_back(ProcessSeconds() - begin);
    TrainingPlan plan;
    for (const FeatureStatistics& statistics : data->features) {
      *plan.add_features() = statistics;
    }
    for (const Partition& partition : data->partitions) {
      *plan.add_partitions() = partition;
    }
    BadRows bad_rows({}, fs);
    StatusOr<std::unique_ptr<FileSource>> source =
        FileSource::Create(job, plan, "/", {.names = {"click"}, .implied = {}}, fs, bad_rows);
    CHECK(source.ok()) << source.status();
    begin = ProcessSeconds();
    CHECK_EQ(ReadAll(**source, plan), options.rows);
    read_seconds.push_back(ProcessSeconds() - begin);
  }
  const auto rows = static_cast<double>(options.rows);
  PrintFigure(name + ", pass that fits 7 ranges, rows/s", rows, plan_seconds);
  PrintFigure(name + ", read into batches, rows/s", rows, read_seconds);
}

Options ParseOptions(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const size_t equals = argument.find('=');
    const std::string_view name = argument.substr(0, equals);
    const std::string value(equals == std::string_view::npos ? "" : argument.substr(equals + 1));
    const uint64_t number = std::strtoull(value.c_str(), nullptr, 10);
    if (name == "--rows" && number > 0) {
      options.rows = number;
    } else if (name == "--rounds" && number > 0) {
      options.rounds = static_cast<int>(number);
    } else {
      std::fprintf(stderr, "csv_read: unknown or empty %s, expected --rows=N --rounds=N\n",
                   argv[i]);
      std::exit(64);  // NOLINT(concurrency-mt-unsafe): no other thread yet
    }
  }
  return options;
}

void Run(const Options& options) {
  PosixFileSystem fs;
  const char* folder = std::getenv("TMPDIR");  // NOLINT(concurrency-mt-unsafe): nobody sets it
  const std::string path =
      std::string(folder == nullptr ? "/tmp" : folder) + "/csv_read." + std::to_string(getpid());
  const std::string text = MakeRows(options.rows);
  std::printf("%zu bytes a row, 41 columns, seconds of processor time, 1 thread\n",
              text.size() / options.rows);
  CHECK(WriteFileAtomically(fs, path + ".csv", text).ok());
  CHECK(WriteFileAtomically(fs, path + ".csv.gz", Gzip(text)).ok());
  Measure("plain, in order", MakeJob(path + ".csv", false), options);
  Measure("plain, shuffled", MakeJob(path + ".csv", true), options);
  Measure("gzip, shuffled", MakeJob(path + ".csv.gz", true), options);
  fs.Remove(path + ".csv").IgnoreError();
  fs.Remove(path + ".csv.gz").IgnoreError();
}

}  // namespace
}  // namespace antiphon

int main(int argc, char** argv) {
  antiphon::PrintHeading(antiphon::CommandOf(argc, argv));
  antiphon::Run(antiphon::ParseOptions(argc, argv));
  return 0;
}
