// How fast one client process pulls and pushes rows of one server process over TCP loopback.
//
//   bench_pull_push --keys=100000 --dim=16 --report=FILE
//
// The child process runs one lane; the parent is the client. Each round pulls distinct uniform keys
// of a preloaded table, pushes gradients for them (row-wise Adagrad), and moves the same bytes
// through an empty handler (METHOD_ECHO), so that the table can be compared with its own bare
// transport in the same run. Prints machine, command, medians and spread.
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <string>
#include <unordered_set>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "bench/figures.h"
#include "bench/lane_client.h"
#include "bench/lane_process.h"
#include "common/base/clock.h"
#include "common/base/logging.h"
#include "common/base/rng.h"

namespace antiphon {
namespace {

struct Options {
  uint32_t keys = 100000;
  uint32_t dim = 16;
  uint64_t rows = 10000000;
  int rounds = 40;
  std::string report;
};

class Client {
 public:
  Client(const std::string& address, const Options& options)
      : options_(options), lane_(address, TableOf(options)) {}

  // Distinct uniform keys below `options.rows`, shifted so that 0 is a key like any other.
  Buffer DrawKeys() {
    Buffer buffer = Buffer::Allocate(options_.keys * sizeof(Key));
    std::unordered_set<Key> drawn;
    for (Key& key : buffer.MutableAs<Key>()) {
      do {
        key = rng_.Below(options_.rows);
      } while (!drawn.insert(key).second);
    }
    return buffer;
  }

  void Pull(const Buffer& keys) {
    const Message message = lane_.Pull(keys);
    CHECK_EQ(message.bulk()[0].size(), keys.size() / sizeof(Key) * options_.dim * sizeof(float));
  }

  void Push(const Buffer& gradients, const Buffer& counts) { lane_.Push(gradients, counts); }

  // Sends `frames` to the empty handler, which answers with `reply_bytes`.
  void Echo(std::span<const Buffer> frames, uint64_t reply_bytes) {
    EchoRequest request;
    request.set_reply_bytes(reply_bytes);
    EchoReply reply;
    lane_.Ask(METHOD_ECHO, request, frames, reply);
  }

  // Creates every row before the clock starts.
  void Preload() {
    constexpr uint64_t kSlice = 100000;
    for (uint64_t first = 0; first < options_.rows; first += kSlice) {
      const uint64_t count = std::min(kSlice, options_.rows - first);
      Buffer keys = Buffer::Allocate(count * sizeof(Key));
      for (uint64_t i = 0; i < count; ++i) {
        keys.MutableAs<Key>()[i] = first + i;
      }
      Pull(keys);
    }
  }

 private:
  static TableSpec TableOf(const Options& options) {
    TableSpec table;
    table.set_name("ids");
    table.set_dim(options.dim);
    table.mutable_optimizer()->mutable_rowwise_adagrad_optimizer();
    table.mutable_initializer()->mutable_normal_initializer();
    return table;
  }

  const Options options_;
  LaneClient lane_;
  Rng rng_{1};
};

// Seconds of one call.
template <typename Call>
double Time(SystemClock& clock, Call call) {
  const antiphon::Time begin = clock.Now();
  call();
  return SecondsBetween(begin, clock.Now());
}

struct Samples {
  std::vector<double> pull;
  std::vector<double> push;
  std::vector<double> echo_pull;  // the same bytes, empty handler
  std::vector<double> echo_push;
  std::vector<double> round_trip;  // one key
};

Samples Measure(Client& client, const Options& options) {
  SystemClock clock;
  Samples samples;
  const size_t row_bytes = size_t{options.keys} * options.dim * sizeof(float);
  Buffer gradients = Buffer::Allocate(row_bytes);
  for (float& g : gradients.MutableAs<float>()) {
    g = 1e-3F;
  }
  Buffer counts = Buffer::Allocate(options.keys * sizeof(uint32_t));
  for (uint32_t& count : counts.MutableAs<uint32_t>()) {
    count = 1U << 16;
  }
  const Buffer pushed[] = {gradients, counts};
  for (int64_t round = -2; round < options.rounds; ++round) {  // two rounds to warm up
    const Buffer keys = client.DrawKeys();
    const double pull = Time(clock, [&] { client.Pull(keys); });
    const double echo_pull = Time(clock, [&] { client.Echo({&keys, 1}, row_bytes); });
    const double push = Time(clock, [&] { client.Push(gradients, counts); });
    const double echo_push = Time(clock, [&] { client.Echo(pushed, 0); });
    if (round >= 0) {
      samples.pull.push_back(pull);
      samples.push.push_back(push);
      samples.echo_pull.push_back(echo_pull);
      samples.echo_push.push_back(echo_push);
    }
  }
  Buffer one = Buffer::Allocate(sizeof(Key));
  one.MutableAs<Key>()[0] = 7;
  for (int i = 0; i < 2000; ++i) {
    samples.round_trip.push_back(Time(clock, [&] { client.Pull(one); }));
  }
  return samples;
}

nlohmann::json Describe(const Samples& samples, const Options& options) {
  const double n = options.keys;
  const double echo = n * 2 / (Median(samples.echo_pull) + Median(samples.echo_push));
  nlohmann::json figures;
  figures["keys"] = options.keys;
  figures["dim"] = options.dim;
  figures["rows"] = options.rows;
  figures["pull_keys_per_second"] = n / Median(samples.pull);
  figures["push_keys_per_second"] = n / Median(samples.push);
  figures["pull_us_p50"] = Median(samples.pull) * 1e6;
  figures["pull_us_p99"] = Quantile(samples.pull, 0.99) * 1e6;
  figures["push_us_p50"] = Median(samples.push) * 1e6;
  figures["push_us_p99"] = Quantile(samples.push, 0.99) * 1e6;
  figures["transport_keys_per_second"] = echo;
  figures["transport_pull_keys_per_second"] = n / Median(samples.echo_pull);
  figures["transport_push_keys_per_second"] = n / Median(samples.echo_push);
  figures["pull_share_of_transport"] = Median(samples.echo_pull) / Median(samples.pull);
  figures["push_share_of_transport"] = Median(samples.echo_push) / Median(samples.push);
  figures["one_key_round_trip_us_p50"] = Median(samples.round_trip) * 1e6;
  figures["one_key_round_trip_us_p99"] = Quantile(samples.round_trip, 0.99) * 1e6;
  figures["machine"] = DescribeMachine();
  return figures;
}

int Run(const Options& options, const std::string& command) {
  const LaneProcess server;
  nlohmann::json figures;
  {
    Client client(server.address(), options);
    client.Preload();
    const Samples samples = Measure(client, options);
    figures = Describe(samples, options);
    PrintHeading(command);
    PrintFigure("pull, M keys/s", options.keys / 1e6, samples.pull);
    PrintFigure("push, M keys/s", options.keys / 1e6, samples.push);
    PrintFigure("bare transport as pull, M keys/s", options.keys / 1e6, samples.echo_pull);
    PrintFigure("bare transport as push, M keys/s", options.keys / 1e6, samples.echo_push);
    std::printf("one-key round trip: %.0f us median, %.0f us p99\n",
                Median(samples.round_trip) * 1e6, Quantile(samples.round_trip, 0.99) * 1e6);
    std::printf("share of the bare transport: pull %.2f, push %.2f\n",
                figures["pull_share_of_transport"].get<double>(),
                figures["push_share_of_transport"].get<double>());
  }
  if (!options.report.empty()) {
    std::ofstream(options.report) << figures.dump(1) << "\n";
  }
  return 0;
}

}  // namespace
}  // namespace antiphon

int main(int argc, char** argv) {
  antiphon::Options options;
  CLI::App app("Pulls and pushes rows of one server process over TCP loopback.");
  app.add_option("--keys", options.keys, "distinct keys of a request")
      ->check(CLI::Range(1, 1000000));
  app.add_option("--dim", options.dim, "floats of a row")->check(CLI::Range(1, 1024));
  app.add_option("--rows", options.rows, "rows of the table")->check(CLI::Range(1, 100000000));
  app.add_option("--rounds", options.rounds, "timed rounds")->check(CLI::Range(1, 100000));
  app.add_option("--report", options.report, "write the figures there as JSON");
  CLI11_PARSE(app, argc, argv);
  if (options.rows < 2 * uint64_t{options.keys}) {
    std::cerr << "bench_pull_push: error: --rows must be at least twice --keys\n";
    return 64;
  }
  return antiphon::Run(options, antiphon::CommandOf(argc, argv));
}
