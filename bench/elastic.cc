// What servers that join and leave cost those who pull and push meanwhile, and how long lanes stand
// still.
//
//   bench_elastic --rows=500000 --dim=16 --dir=FOLDER
//
// Each server is a child process with one lane; this process has the scheduler on a thread, and is
// the job's only worker, by hand: it pulls from all lanes at once and pushes, over TCP loopback,
// and times every request. In turn a server joins and one is drained. Rows are stamps
// (tests/support/stamped_rows.h): at the end their sum says whether every push was applied once.
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "bench/elastic_client.h"
#include "bench/figures.h"
#include "common/base/clock.h"
#include "common/base/file_system.h"
#include "common/base/logging.h"
#include "common/net/zmq_transport.h"
#include "scheduler/scheduler_thread.h"
#include "server/server.h"

namespace antiphon {
namespace {

constexpr uint32_t kFirstServers = 2;

struct Options {
  ElasticWork work;
  int rounds = 3;
  double quiet_seconds = 3;
  std::string dir;
  std::string report;
  std::string serve;  // the scheduler's address: this process is a server
};

// The child: one lane, until it is drained or the job ends.
int Serve(const std::string& scheduler) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  SystemClock clock;
  PosixFileSystem fs;
  StatusOr<std::unique_ptr<ZmqTransport>> transport = ZmqTransport::Create();
  CHECK(transport.ok()) << transport.status();
  auto server = Server::Start(**transport, clock, fs,
                              {.scheduler_address = scheduler,
                               .listen_addresses = {"tcp://127.0.0.1:0"},
                               .incarnation = static_cast<Incarnation>(getpid()) << 8 | 1,
                               .host = "localhost",
                               .pid = getpid()});
  CHECK(server.ok()) << server.status();
  const Status status = (*server)->Wait();
  (*server)->Stop();
  return status.ok() ? 0 : 1;
}

void StartServer(const std::string& scheduler) {
  const pid_t child = fork();
  CHECK_GE(child, 0);
  if (child == 0) {
    const std::string flag = "--serve=" + scheduler;
    execl("/proc/self/exe", "bench_elastic", flag.c_str(), "--dir=/", nullptr);
    _exit(127);
  }
}

struct Figures {
  Latencies quiet;
  Latencies moving;
  std::vector<double> closed;   // lanes
  std::vector<double> stalled;  // the worker
  std::vector<double> whole;    // from the beginning to the end of a move
  std::vector<double> rows;
};

void RunQuietly(ElasticClient& client, double seconds, Latencies& seen) {
  const Time until = client.clock().Now() +
                     std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
  while (client.clock().Now() < until) {
    client.Step(seen);
  }
}

// Trains until a move that has just been caused is done.
void RunWhileMoving(ElasticClient& client, int moves_before, Figures& figures) {
  client.TakeStalled();
  Latencies waiting;  // until the server is there and the move begins
  for (;;) {
    const MoveStatus move = client.LastMove();
    const bool begun = client.moves() > moves_before;
    if (begun && move.has_serving_after()) {
      figures.closed.push_back(move.serving_after() - move.closed_after());
      figures.whole.push_back(move.serving_after());
      figures.rows.push_back(static_cast<double>(move.rows()));
      break;
    }
    client.Step(begun ? figures.moving : waiting);
  }
  client.Step(waiting);  // after it the worker is back
  figures.stalled.push_back(client.TakeStalled());
}

nlohmann::json Describe(const char* name, const std::vector<double>& quiet,
                        const std::vector<double>& moving) {
  const double quiet_p99 = Quantile(quiet, 0.99);
  const double moving_p99 = Quantile(moving, 0.99);
  std::printf(
      "%s: p50 %.2f ms, p99 %.2f, max %.2f; while shards move p50 %.2f, p99 %.2f (%.2f x), "
      "max %.2f (%zu and %zu requests)\n",
      name, 1e3 * Median(quiet), 1e3 * quiet_p99, 1e3 * Quantile(quiet, 1), 1e3 * Median(moving),
      1e3 * moving_p99, moving_p99 / quiet_p99, 1e3 * Quantile(moving, 1), quiet.size(),
      moving.size());
  return {{"p50_ms", 1e3 * Median(quiet)},
          {"p99_ms", 1e3 * quiet_p99},
          {"moving_p50_ms", 1e3 * Median(moving)},
          {"moving_p99_ms", 1e3 * moving_p99},
          {"ratio_p99", moving_p99 / quiet_p99}};
}

nlohmann::json DescribeSpread(const char* name, const std::vector<double>& seconds) {
  std::printf("%-40s min %.0f  median %.0f  max %.0f ms\n", name, 1e3 * Quantile(seconds, 0),
              1e3 * Median(seconds), 1e3 * Quantile(seconds, 1));
  return {
      {"min", Quantile(seconds, 0)}, {"median", Median(seconds)}, {"max", Quantile(seconds, 1)}};
}

int Run(const Options& options, const std::string& command) {
  SystemClock clock;
  PosixFileSystem fs;
  const std::unique_ptr<ZmqTransport> transport = ZmqTransport::Create().value();
  SchedulerOptions job;
  job.servers = kFirstServers;
  job.cluster_id = 1;
  job.snapshot_dir = options.dir;
  SchedulerThread scheduler(Scheduler::Create(job, *transport, fs, clock).value());
  for (uint32_t i = 0; i < kFirstServers; ++i) {
    StartServer(scheduler.address());
  }
  Figures figures;
  {
    ElasticClient client(scheduler.address(), options.work);
    client.Preload();
    for (int round = 0; round < options.rounds; ++round) {
      for (const bool joins : {true, false}) {
        RunQuietly(client, options.quiet_seconds, figures.quiet);
        client.LastMove();
        const int before = client.moves();
        if (joins) {
          StartServer(scheduler.address());
        } else {
          client.DrainOldest();
        }
        RunWhileMoving(client, before, figures);
      }
    }
    CHECK_EQ(client.SumOfStamps(), client.pushed()) << "not every push was applied once";
  }
  scheduler.Stop();
  while (wait(nullptr) > 0) {
  }
  PrintHeading(command);
  nlohmann::json json = {{"machine", DescribeMachine()}, {"command", command}};
  json["pull"] = Describe("pull", figures.quiet.pull, figures.moving.pull);
  json["push"] = Describe("push", figures.quiet.push, figures.moving.push);
  json["closed_seconds"] = DescribeSpread("lanes closed", figures.closed);
  json["stalled_seconds"] = DescribeSpread("the worker stood still", figures.stalled);
  json["move_seconds"] = DescribeSpread("a move from beginning to end", figures.whole);
  std::printf("%zu moves of %.0f rows (median); the sum of all rows is that of all pushes\n",
              figures.rows.size(), Median(figures.rows));
  if (!options.report.empty()) {
    std::ofstream(options.report) << json.dump(1) << "\n";
  }
  return 0;
}

}  // namespace
}  // namespace antiphon

int main(int argc, char** argv) {
  antiphon::Options options;
  CLI::App app("Pulls and pushes while servers join and leave.");
  app.add_option("--rows", options.work.rows, "rows of the table")->check(CLI::Range(1, 100000000));
  app.add_option("--dim", options.work.dim, "floats of a row")->check(CLI::Range(1, 1024));
  app.add_option("--keys", options.work.keys, "distinct keys of a batch")
      ->check(CLI::Range(1, 1000000));
  app.add_option("--rounds", options.rounds, "in each a server joins and one is drained")
      ->check(CLI::Range(1, 1000));
  app.add_option("--quiet_seconds", options.quiet_seconds, "of training before each move")
      ->check(CLI::PositiveNumber);
  app.add_option("--dir", options.dir, "existing folder for the snapshots")->required();
  app.add_option("--report", options.report, "write the figures there as JSON");
  app.add_option("--serve", options.serve)->group("");
  CLI11_PARSE(app, argc, argv);
  if (!options.serve.empty()) {
    return antiphon::Serve(options.serve);
  }
  if (options.work.rows < options.work.keys) {
    std::cerr << "bench_elastic: error: --rows must be at least --keys\n";
    return 64;
  }
  return antiphon::Run(options, antiphon::CommandOf(argc, argv));
}
