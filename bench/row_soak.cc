// Ever-new ids under a memory limit: does the memory stay flat, and do known ids keep their rows?
//
//   bench_row_soak --seconds=1800 --memory_mb=512
//
// One lane's tables and its sweeper on this thread. Each step trains some of the known ids and as
// many ids that come once and never again. Rows are stamps (tests/support/stamped_rows.h): a known
// row that was forgotten on the way has too low a stamp, whoever made it anew, so what the table
// has is compared with an exact count of every update.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <unistd.h>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "bench/figures.h"
#include "common/base/clock.h"
#include "common/base/logging.h"
#include "common/base/rng.h"
#include "common/cluster/shard_map.h"
#include "server/lane_state.h"
#include "server/row_sweeper.h"
#include "tests/support/stamped_rows.h"

namespace antiphon {
namespace {

struct Options {
  double seconds = 1800;
  uint64_t memory_mb = 512;
  uint32_t dim = 16;
  uint32_t known = 200000;
  uint32_t batch = 4096;
  uint32_t min_count = 1;
  std::string report;
};

uint64_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  uint64_t all = 0;
  uint64_t resident = 0;
  statm >> all >> resident;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

class Soak {
 public:
  explicit Soak(const Options& options)
      : options_(options),
        sweeper_(state_, clock_, options.memory_mb << 20),
        updates_(options.known) {
    ConfigureRequest config;
    ParameterSchema* schema = config.mutable_schema();
    schema->set_seed(1);
    schema->set_shard_count(256);
    schema->set_chunk_floats(16384);
    *schema->add_tables() = StampedTable(options.dim);
    schema->mutable_tables(0)->mutable_row_policy()->mutable_admission()->set_min_count(
        options.min_count);
    ClusterView* view = config.mutable_view();
    view->set_shard_count(256);
    view->add_lanes()->set_address("mem://lane");
    for (const LaneId lane : AssignShards(256, 1)) {
      view->add_lane_of_shard(lane);
    }
    state_.store = LaneStore::Create(config).value();
    gradients_.assign(size_t{options.batch} * options.dim, -1);
    counts_.assign(options.batch, 1U << 16);
    keys_.resize(options.batch);
    rows_.resize(options.batch);
  }

  void Step() {
    for (size_t i = 0; i < keys_.size(); ++i) {
      if (i % 2 == 0) {
        // Each from a stripe of its own, so that no two of a batch are the same.
        const uint64_t stripe = options_.known / keys_.size() * 2;
        keys_[i] = i / 2 * stripe + rng_.Below(stripe);
      } else {
        keys_[i] = options_.known + next_new_++;
      }
    }
    RowTable& table = state_.store->table(0);
    table.Lookup(keys_, LookupMode::kCreate, rows_);
    for (size_t i = 0; i < keys_.size(); i += 2) {
      if (rows_[i] != nullptr) {
        ++updates_[keys_[i]];
      } else {
        ++dropped_;
      }
    }
    table.ApplyGradients(rows_, gradients_, counts_, clock_.WallSeconds());
    for (int i = 0; i < 4 && sweeper_.Advance(); ++i) {
    }
    ++steps_;
  }

  // The share of known ids whose row has every update that was given to it.
  double ExactKnown() {
    std::vector<Key> keys(options_.known);
    std::vector<std::byte*> rows(keys.size());
    for (Key key = 0; key < keys.size(); ++key) {
      keys[key] = key;
    }
    state_.store->table(0).Lookup(keys, LookupMode::kFindOnly, rows);
    uint64_t exact = 0;
    for (Key key = 0; key < keys.size(); ++key) {
      const float stamp = rows[key] == nullptr ? 0 : FloatsOf(rows[key])[0];
      exact += stamp == static_cast<float>(updates_[key]) ? 1 : 0;
    }
    return static_cast<double>(exact) / static_cast<double>(keys.size());
  }

  nlohmann::json Figures(double seconds) {
    const RowTable& table = state_.store->table(0);
    return {{"seconds", seconds},
            {"resident_mb", static_cast<double>(ResidentBytes() >> 10) / 1024},
            {"rows", table.row_count()},
            {"new_ids", next_new_},
            {"known_exact", ExactKnown()},
            {"known_updates_dropped", dropped_},
            {"refused_by_memory", table.admission().counts().refused_by_memory},
            {"refused_by_count", table.admission().counts().refused_by_count},
            {"evicted", table.erased(EraseReason::kMemory)},
            {"updates_per_second", static_cast<double>(steps_ * options_.batch) / seconds}};
  }

  SystemClock& clock() { return clock_; }

 private:
  const Options options_;
  SystemClock clock_;
  LaneState state_;
  RowSweeper sweeper_;
  Rng rng_{1};
  std::vector<uint32_t> updates_;  // of each known id
  std::vector<Key> keys_;
  std::vector<std::byte*> rows_;
  std::vector<float> gradients_;
  std::vector<uint32_t> counts_;
  uint64_t next_new_ = 0;
  uint64_t dropped_ = 0;
  uint64_t steps_ = 0;
};

int Run(const Options& options, const std::string& command) {
  PrintHeading(command);
  Soak soak(options);
  nlohmann::json report = {{"machine", DescribeMachine()}, {"points", nlohmann::json::array()}};
  const Time begin = soak.clock().Now();
  constexpr int kPoints = 20;
  for (int point = 1; point <= kPoints; ++point) {
    const double until = options.seconds * point / kPoints;
    while (SecondsBetween(begin, soak.clock().Now()) < until) {
      soak.Step();
    }
    const nlohmann::json figures = soak.Figures(SecondsBetween(begin, soak.clock().Now()));
    std::cout << figures.dump() << std::endl;
    report["points"].push_back(figures);
  }
  if (!options.report.empty()) {
    std::ofstream(options.report) << report.dump(1) << "\n";
  }
  return 0;
}

}  // namespace
}  // namespace antiphon

int main(int argc, char** argv) {
  antiphon::Options options;
  CLI::App app("Ever-new ids under a memory limit.");
  app.add_option("--seconds", options.seconds, "how long")->check(CLI::PositiveNumber);
  app.add_option("--memory_mb", options.memory_mb, "limit of the lane")
      ->check(CLI::Range(16, 1 << 20));
  app.add_option("--dim", options.dim, "floats of a row")->check(CLI::Range(1, 1024));
  app.add_option("--known", options.known, "ids that come again")
      ->check(CLI::Range(10000, 100000000));
  app.add_option("--batch", options.batch, "keys of a step")->check(CLI::Range(2, 8192));
  app.add_option("--min_count", options.min_count, "sightings until a row")
      ->check(CLI::Range(1, 15));
  app.add_option("--report", options.report, "write the figures there as JSON");
  CLI11_PARSE(app, argc, argv);
  return antiphon::Run(options, antiphon::CommandOf(argc, argv));
}
