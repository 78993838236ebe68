// Rows looked up while versions are published: what a publish does to a reader.
//
//   bench_publish --dir=FOLDER [--rows=1000000] [--publishes=10000]
//
// One thread looks up batches, half of them rows that every step changes. In turn another thread
// does nothing, makes step after step without a pause and keeps them to itself, and publishes them.
// Of each batch the reader's own processor time is taken, and the time on the wall, which is also
// what waiting for a core takes: what all the work of making steps does to it shows in the second
// column. Rows of one version carry one stamp, so a batch that mixes versions is noticed.
#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <ctime>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <memory>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "bench/figures.h"
#include "common/base/clock.h"
#include "common/base/file_system.h"
#include "common/base/hash.h"
#include "common/base/logging.h"
#include "common/base/rng.h"
#include "common/base/thread.h"
#include "serving/emb_writer.h"
#include "serving/layered_table.h"
#include "serving/live_pointer.h"
#include "serving/mapped_file.h"

namespace antiphon {
namespace {

constexpr size_t kBatch = 1000;
constexpr double kMicro = 1e6;

struct Options {
  uint64_t rows = 1000000;
  uint32_t dim = 16;
  uint64_t overlay = 100000;  // rows that changed before
  uint64_t changed = 1000;    // rows that a step changes
  int publishes = 10000;
  int rounds = 10;
  std::string dir;
};

double ThreadSeconds() {
  timespec now = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// What one phase took, batch by batch.
struct Phase {
  std::vector<double> processor_seconds;
  std::vector<double> wall_seconds;
};

// What goes on beside the reader.
enum class Beside { kNothing, kStepsMade, kStepsPublished };
constexpr std::array<Beside, 3> kAllBeside = {Beside::kNothing, Beside::kStepsMade,
                                              Beside::kStepsPublished};

// A quantile of every phase, by what went on beside it.
using Figures = std::array<std::vector<double>, kAllBeside.size()>;

void Print(const std::string& name, const Figures& figures) {
  std::cout << std::left << std::setw(22) << name << std::right << std::fixed;
  for (const std::vector<double>& values : figures) {
    std::ostringstream cell;
    cell << std::fixed << std::setprecision(1) << Median(values) << " ("
         << *std::ranges::min_element(values) << " to " << *std::ranges::max_element(values) << ")";
    std::cout << std::setw(30) << cell.str();
  }
  std::cout << std::setprecision(2) << std::setw(10) << Median(figures[2]) / Median(figures[0])
            << std::setw(10) << Median(figures[2]) / Median(figures[1]) << "\n";
}

class PublishBench {
 public:
  explicit PublishBench(const Options& options) : options_(options) {
    for (uint64_t i = 0; i < options.rows; ++i) {
      keys_.push_back(Mix64(i + 1));
    }
    hot_.assign(keys_.begin(), keys_.begin() + static_cast<ptrdiff_t>(options.changed));
    std::ranges::sort(keys_);
    out_.resize(kBatch * options.dim);
  }

  void Run() {
    WriteBase();
    const auto file = MappedFile::Open(options_.dir + "/base.emb");
    CHECK(file.ok()) << file.status();
    const auto base = std::make_shared<EmbTable>(EmbTable::Open((*file)->bytes()).value());
    const LayeredTable bare(base);
    MeasureBare("rows without changes", bare);
    table_ = std::make_shared<const LayeredTable>(WithOverlay(bare));
    MeasureBare("rows with changes over them", *table_);
    newest_ = std::make_unique<LivePointer<LayeredTable>>(table_);
    Publish(1);
    for (int round = 0; round < options_.rounds; ++round) {
      for (const Beside beside : kAllBeside) {
        RunPhase(beside);
      }
    }
    std::cout << "\nmicroseconds of a batch of " << kBatch << " rows, median of " << options_.rounds
              << " rounds (least to most)\n"
              << std::setw(52) << "nothing beside it" << std::setw(30) << "steps made"
              << std::setw(30) << "steps published" << std::setw(10) << "/ nothing" << std::setw(10)
              << "/ made"
              << "\n";
    Print("processor time, p50", processor_p50_);
    Print("processor time, p99", processor_p99_);
    Print("wall time, p50", wall_p50_);
    Print("wall time, p99", wall_p99_);
    std::cout << published_ << " steps of " << options_.changed << " rows published, "
              << std::setprecision(3) << publish_seconds_ / published_ * 1e3
              << " ms of a processor each; " << batches_ << " batches read meanwhile, " << versions_
              << " times of another version than the one before; " << torn_ << " torn\n";
    CHECK_EQ(torn_, 0U);
  }

 private:
  void WriteBase() {
    PosixFileSystem fs;
    auto writer = EmbWriter::Create(fs, options_.dir + "/base.emb",
                                    {.model_id = 1, .version = 1, .dim = options_.dim}, keys_);
    CHECK(writer.ok()) << writer.status();
    const std::vector<float> row(options_.dim);
    for (size_t i = 0; i < keys_.size(); ++i) {
      CHECK((*writer)->Add(row).ok());
    }
    CHECK((*writer)->Finish().ok());
  }

  LayeredTable WithOverlay(const LayeredTable& bare) const {
    std::vector<Key> changed;
    for (uint64_t i = 0; i < options_.overlay; ++i) {
      changed.push_back(Mix64(options_.changed + i + 1));
    }
    const std::vector<float> rows(changed.size() * options_.dim, 0.5F);
    return bare.After({.keys = changed, .rows = std::as_bytes(std::span(rows)).data()});
  }

  void NextBatch(std::vector<Key>& batch, Rng& rng) const {
    for (size_t i = 0; i < kBatch; ++i) {
      batch[i] = i % 2 == 0 ? hot_[rng.Below(hot_.size())] : keys_[rng.Below(keys_.size())];
    }
  }

  void MeasureBare(const std::string& name, const LayeredTable& table) {
    constexpr int kRounds = 7;
    constexpr size_t kBatches = 1000;
    Rng rng(1);
    std::vector<std::vector<Key>> batches(kBatches, std::vector<Key>(kBatch));
    for (std::vector<Key>& batch : batches) {
      for (Key& key : batch) {
        key = keys_[rng.Below(keys_.size())];
      }
    }
    std::vector<double> seconds;
    for (int round = 0; round < kRounds; ++round) {
      const double start = ThreadSeconds();
      for (const std::vector<Key>& batch : batches) {
        CHECK_EQ(table.Lookup(batch, out_.data()), kBatch);
      }
      seconds.push_back(ThreadSeconds() - start);
    }
    PrintFigure(name + " looked up, of processor time", double{kBatches} * kBatch, seconds);
  }

  std::shared_ptr<const LayeredTable> MakeStep(int stamp) const {
    const std::vector<float> rows(hot_.size() * options_.dim, static_cast<float>(stamp));
    return std::make_shared<const LayeredTable>(
        table_->After({.keys = hot_, .rows = std::as_bytes(std::span(rows)).data()}));
  }

  void Publish(int stamp) {
    table_ = MakeStep(stamp);
    newest_->Publish(table_);
  }

  void RunPhase(Beside beside) {
    std::atomic<bool> stop = false;
    Phase phase;
    const double start = ThreadSeconds();
    {
      // Beside nothing, as many batches as were read before.
      const size_t most = beside == Beside::kNothing ? batches_of_phase_ : SIZE_MAX;
      const Thread reader("reader", [&] { phase = Read(stop, most); });
      const int steps = beside == Beside::kNothing ? 0 : options_.publishes / options_.rounds;
      for (int i = 0; i < steps; ++i) {
        if (beside == Beside::kStepsMade) {
          MakeStep(i);
        } else {
          Publish(++published_ + 1);
        }
      }
      stop = beside != Beside::kNothing;
    }
    const auto kind = static_cast<size_t>(beside);
    processor_p50_[kind].push_back(Quantile(phase.processor_seconds, 0.5) * kMicro);
    processor_p99_[kind].push_back(Quantile(phase.processor_seconds, 0.99) * kMicro);
    wall_p50_[kind].push_back(Quantile(phase.wall_seconds, 0.5) * kMicro);
    wall_p99_[kind].push_back(Quantile(phase.wall_seconds, 0.99) * kMicro);
    if (beside == Beside::kStepsPublished) {
      publish_seconds_ += ThreadSeconds() - start;
      batches_ += phase.wall_seconds.size();
      batches_of_phase_ = phase.wall_seconds.size();
    }
  }

  // At most `most` batches, until it is to stop.
  Phase Read(const std::atomic<bool>& stop, size_t most) {
    LivePointer<LayeredTable>::Reader reader(*newest_);
    Rng rng(2);
    Phase phase;
    std::vector<Key> batch(kBatch);
    std::vector<float> out(kBatch * options_.dim);
    float last = 0;
    // Relaxed: a batch more does not matter.
    while (phase.wall_seconds.size() < most && !stop.load(std::memory_order_relaxed)) {
      NextBatch(batch, rng);
      const Time start = clock_.Now();
      const double processor_start = ThreadSeconds();
      reader.Get()->Lookup(batch, out.data());
      phase.processor_seconds.push_back(ThreadSeconds() - processor_start);
      phase.wall_seconds.push_back(SecondsBetween(start, clock_.Now()));
      for (size_t i = 0; i < kBatch; i += 2) {
        torn_ += out[i * options_.dim] == out[0] ? 0 : 1;
      }
      versions_ += out[0] == last ? 0 : 1;
      last = out[0];
    }
    return phase;
  }

  const Options options_;
  SystemClock clock_;
  std::vector<Key> keys_;  // ascending
  std::vector<Key> hot_;   // that every step changes
  std::vector<float> out_;
  std::shared_ptr<const LayeredTable> table_;
  std::unique_ptr<LivePointer<LayeredTable>> newest_;
  Figures processor_p50_;
  Figures processor_p99_;
  Figures wall_p50_;
  Figures wall_p99_;
  size_t batches_of_phase_ = 5000;
  int published_ = 0;
  double publish_seconds_ = 0;
  uint64_t batches_ = 0;
  // Of the reading thread while there is one.
  uint64_t versions_ = 0;
  uint64_t torn_ = 0;
};

int Main(int argc, char** argv) {
  Options options;
  CLI::App app("Measures what publishing versions does to lookups.", "bench_publish");
  app.add_option("--rows", options.rows, "rows of the table");
  app.add_option("--dim", options.dim, "floats of a row");
  app.add_option("--overlay", options.overlay, "rows that changed before the first step");
  app.add_option("--changed", options.changed, "rows that each step changes");
  app.add_option("--publishes", options.publishes, "steps in all");
  app.add_option("--rounds", options.rounds, "rounds that they are spread over");
  app.add_option("--dir", options.dir, "folder for files")->required();
  CLI11_PARSE(app, argc, argv);
  if (options.rows < options.overlay + options.changed || options.changed == 0 ||
      options.rounds < 1 || options.publishes < options.rounds) {
    std::cerr << "bench_publish: expected rows for the overlay and the changes, and a publish a "
                 "round\n";
    return 2;
  }
  std::filesystem::create_directories(options.dir);
  PrintHeading("bench/publish --rows=" + std::to_string(options.rows) + " --dim=" +
               std::to_string(options.dim) + " --overlay=" + std::to_string(options.overlay) +
               " --changed=" + std::to_string(options.changed) +
               " --publishes=" + std::to_string(options.publishes));
  PublishBench(options).Run();
  return 0;
}

}  // namespace
}  // namespace antiphon

int main(int argc, char** argv) {
  return antiphon::Main(argc, argv);
}
