// What a snapshot costs those who pull and push meanwhile, and how fast it reaches the disk.
//
//   bench_snapshot --rows=2000000 --dim=32 --dir=FOLDER
//
// The child process runs one lane and its snapshot writer; the parent is the client, over TCP
// loopback. In turn it pulls and pushes with no snapshot and while one is written, and times every
// request. Rows are stamps (tests/support/stamped_rows.h), so each file is also checked: no row may
// be torn, and all rows together must show one moment. Beside it `dd` writes as many bytes with an
// fsync, and the last file is read back into a table.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "bench/figures.h"
#include "bench/lane_client.h"
#include "bench/lane_process.h"
#include "common/base/clock.h"
#include "common/base/logging.h"
#include "common/base/rng.h"
#include "common/net/pending_call.h"
#include "server/lane_restorer.h"
#include "tests/support/stamped_rows.h"

namespace antiphon {
namespace {

constexpr CallOptions kPatient = {.deadline = std::chrono::hours(1),
                                  .retry_after = std::chrono::minutes(5)};

struct Options {
  uint64_t rows = 2000000;
  uint32_t dim = 32;
  uint32_t keys = 2000;
  int snapshots = 5;
  double quiet_seconds = 3;
  std::string dir;
  std::string report;
};

// What one phase saw, in seconds.
struct Latencies {
  std::vector<double> pull;
  std::vector<double> push;
};

class Client {
 public:
  Client(const std::string& address, const Options& options)
      : options_(options), lane_(address, StampedTable(options.dim)) {
    gradients_ = Buffer::Allocate(size_t{options.keys} * options.dim * sizeof(float));
    std::ranges::fill(gradients_.MutableAs<float>(), -1.0F);
    counts_ = Buffer::Allocate(options.keys * sizeof(uint32_t));
    std::ranges::fill(counts_.MutableAs<uint32_t>(), 1U << 16);
  }

  // Creates every row before the clock starts.
  void Preload() {
    for (uint64_t first = 0; first < options_.rows; first += options_.keys) {
      Buffer keys = Buffer::Allocate(options_.keys * sizeof(Key));
      for (uint64_t i = 0; i < options_.keys; ++i) {
        keys.MutableAs<Key>()[i] = std::min(first + i, options_.rows - 1);
      }
      lane_.Pull(keys);
    }
  }

  // One pull of random distinct keys and its push.
  void Step(Latencies& seen) {
    Buffer keys = Buffer::Allocate(options_.keys * sizeof(Key));
    // Distinct: each from a stripe of its own.
    const uint64_t stripe = options_.rows / options_.keys;
    for (uint64_t i = 0; i < options_.keys; ++i) {
      keys.MutableAs<Key>()[i] = i * stripe + rng_.Below(stripe);
    }
    const Time begin = clock().Now();
    lane_.Pull(keys);
    const Time pulled = clock().Now();
    lane_.Push(gradients_, counts_);
    seen.pull.push_back(SecondsBetween(begin, pulled));
    seen.push.push_back(SecondsBetween(pulled, clock().Now()));
  }

  // Has the lane write its file, training meanwhile or not. Returns the seconds that it took.
  double Snapshot(uint64_t version, Latencies* seen, SnapshotFile& file) {
    WriteSnapshotRequest request;
    request.set_directory(options_.dir);
    request.set_version(version);
    PendingCall call(lane_.rpc());
    const Time begin = clock().Now();
    call.Start(lane_.lane(), METHOD_WRITE_SNAPSHOT, request, {}, kPatient);
    while (!call.ready()) {
      if (seen != nullptr) {
        Step(*seen);
      } else {
        lane_.rpc().Poll(std::chrono::milliseconds(100));
      }
    }
    WriteSnapshotReply reply;
    const Status status = call.Take(reply, nullptr);
    CHECK(status.ok()) << status;
    file = reply.file();
    return SecondsBetween(begin, clock().Now());
  }

  SystemClock& clock() { return lane_.clock(); }

 private:
  const Options options_;
  LaneClient lane_;
  Rng rng_{1};
  Buffer gradients_;
  Buffer counts_;
};

// Seconds that dd needs for as many bytes, fsync included.
double SecondsOfDd(SystemClock& clock, const std::string& dir, uint64_t bytes) {
  const std::string path = dir + "/dd";
  const std::string command = "dd if=/dev/zero of='" + path +
                              "' bs=1M count=" + std::to_string(bytes >> 20) +
                              " conv=fsync 2>/dev/null";
  const Time begin = clock.Now();
  CHECK_EQ(std::system(command.c_str()), 0) << command;
  const double seconds = SecondsBetween(begin, clock.Now());
  std::filesystem::remove(path);
  return seconds;
}

double SecondsOfRestore(SystemClock& clock, const Options& options, const SnapshotFile& file) {
  PosixFileSystem fs;
  const Time begin = clock.Now();
  StatusOr<std::unique_ptr<LaneStore>> store =
      LaneStore::Create(LaneClient::Configuration(StampedTable(options.dim), "mem://"));
  CHECK(store.ok()) << store.status();
  LaneRestorer restorer(fs, **store);
  SnapshotFiles files;
  *files.Add() = file;
  const Status status = restorer.ReadLink(options.dir, files);
  CHECK(status.ok()) << status;
  return SecondsBetween(begin, clock.Now());
}

nlohmann::json Describe(const char* name, const std::vector<double>& quiet,
                        const std::vector<double>& busy) {
  const double quiet_p99 = Quantile(quiet, 0.99);
  const double busy_p99 = Quantile(busy, 0.99);
  std::printf(
      "%s: p50 %.2f ms, p99 %.2f, max %.2f; during snapshots p50 %.2f, p99 %.2f (%.2f x), "
      "max %.2f (%zu and %zu requests)\n",
      name, 1e3 * Median(quiet), 1e3 * quiet_p99, 1e3 * Quantile(quiet, 1), 1e3 * Median(busy),
      1e3 * busy_p99, busy_p99 / quiet_p99, 1e3 * Quantile(busy, 1), quiet.size(), busy.size());
  return {{"p50_ms", 1e3 * Median(quiet)},      {"p99_ms", 1e3 * quiet_p99},
          {"max_ms", 1e3 * Quantile(quiet, 1)}, {"snapshot_p50_ms", 1e3 * Median(busy)},
          {"snapshot_p99_ms", 1e3 * busy_p99},  {"snapshot_max_ms", 1e3 * Quantile(busy, 1)}};
}

void Measure(const std::string& address, const Options& options, const std::string& command) {
  Client client(address, options);
  client.Preload();
  PosixFileSystem fs;
  Latencies quiet;
  Latencies busy;
  std::vector<double> busy_seconds;
  std::vector<double> idle_seconds;
  std::vector<double> dd_seconds;
  SnapshotFile file;
  StampCheck total;
  for (int round = 1; round <= options.snapshots; ++round) {
    const Time until =
        client.clock().Now() +
        std::chrono::duration_cast<Duration>(std::chrono::duration<double>(options.quiet_seconds));
    while (client.clock().Now() < until) {
      client.Step(quiet);
    }
    busy_seconds.push_back(client.Snapshot(2 * static_cast<uint64_t>(round), &busy, file));
    const StatusOr<StampCheck> check = CheckStamps(fs, options.dir, file);
    CHECK(check.ok()) << check.status();
    CHECK_EQ(check->updates, static_cast<double>(check->through * options.keys))
        << "the file is not of one moment";
    total.rows += check->rows;
    total.torn += check->torn;
    total.updates = check->updates;
    std::filesystem::remove(options.dir + "/" + file.name());
    idle_seconds.push_back(client.Snapshot(2 * static_cast<uint64_t>(round) + 1, nullptr, file));
    const double restored =
        round == options.snapshots ? SecondsOfRestore(client.clock(), options, file) : 0;
    std::filesystem::remove(options.dir + "/" + file.name());
    dd_seconds.push_back(SecondsOfDd(client.clock(), options.dir, file.bytes()));
    if (restored > 0) {
      PrintHeading(command);
      std::printf("restore: %.2f M rows/s, %.0f MB/s\n",
                  1e-6 * static_cast<double>(file.rows()) / restored,
                  1e-6 * static_cast<double>(file.bytes()) / restored);
    }
  }
  const double megabytes = 1e-6 * static_cast<double>(file.bytes());
  nlohmann::json figures = {{"machine", DescribeMachine()},
                            {"megabytes", megabytes},
                            {"rows_checked", total.rows},
                            {"rows_torn", total.torn},
                            {"updates", total.updates}};
  figures["pull"] = Describe("pull", quiet.pull, busy.pull);
  figures["push"] = Describe("push", quiet.push, busy.push);
  PrintFigure("snapshot while training, MB/s", megabytes, busy_seconds);
  PrintFigure("snapshot of a lane at rest, MB/s", megabytes, idle_seconds);
  PrintFigure("dd conv=fsync, MB/s", megabytes, dd_seconds);
  std::printf("share of dd: %.2f while training, %.2f at rest\n",
              Median(dd_seconds) / Median(busy_seconds), Median(dd_seconds) / Median(idle_seconds));
  std::printf("%.0f updates, %llu rows read back, %llu torn\n", total.updates,
              static_cast<unsigned long long>(total.rows),
              static_cast<unsigned long long>(total.torn));
  CHECK_EQ(total.torn, 0U);
  if (!options.report.empty()) {
    std::ofstream(options.report) << figures.dump(1) << "\n";
  }
}

int Run(const Options& options, const std::string& command) {
  const LaneProcess server;
  Measure(server.address(), options, command);
  return 0;
}

}  // namespace
}  // namespace antiphon

int main(int argc, char** argv) {
  antiphon::Options options;
  CLI::App app("Pulls and pushes while snapshots are written.");
  app.add_option("--rows", options.rows, "rows of the table")->check(CLI::Range(1, 100000000));
  app.add_option("--dim", options.dim, "floats of a row")->check(CLI::Range(1, 1024));
  app.add_option("--keys", options.keys, "distinct keys of a request")
      ->check(CLI::Range(1, 1000000));
  app.add_option("--snapshots", options.snapshots, "snapshots under load")
      ->check(CLI::Range(1, 1000));
  app.add_option("--quiet_seconds", options.quiet_seconds, "of training before each of them")
      ->check(CLI::PositiveNumber);
  app.add_option("--dir", options.dir,
                 "existing folder for the files, on the disk that is measured")
      ->required();
  app.add_option("--report", options.report, "write the figures there as JSON");
  CLI11_PARSE(app, argc, argv);
  if (options.rows < options.keys) {
    std::cerr << "bench_snapshot: error: --rows must be at least --keys\n";
    return 64;
  }
  return antiphon::Run(options, antiphon::CommandOf(argc, argv));
}
