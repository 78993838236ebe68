// What one lane's embedding table does in a second: create, find and copy, train.
//
// Rows of 16 floats with row-wise Adagrad, keys uniform or by Zipf's law, one thread. Beside it, in
// the same run and on the same keys, std::unordered_map with a vectorised update.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "bench/figures.h"
#include "common/base/hash.h"
#include "common/base/rng.h"
#include "common/math/kernels.h"
#include "server/row_table.h"

namespace antiphon {
namespace {

constexpr uint32_t kDim = 16;
constexpr uint32_t kShardCount = 256;

struct Options {
  std::vector<size_t> rows = {1'000'000, 10'000'000};
  size_t batch = 4096;
  size_t rounds = 9;
  bool peer = true;
};

bool ParseOptions(int argc, char** argv, Options* options) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const size_t equals = argument.find('=');
    const std::string_view name = argument.substr(0, equals);
    const std::string value(equals == std::string_view::npos ? "" : argument.substr(equals + 1));
    const size_t number = std::strtoull(value.c_str(), nullptr, 10);
    if (name == "--rows") {
      options->rows.clear();
      for (size_t at = 0; at < value.size(); at = value.find_first_of(',', at) + 1) {
        options->rows.push_back(std::strtoull(value.c_str() + at, nullptr, 10));
        if (value.find(',', at) == std::string::npos) {
          break;
        }
      }
    } else if (name == "--batch" && number > 0) {
      options->batch = number;
    } else if (name == "--rounds" && number > 0) {
      options->rounds = number;
    } else if (name == "--peer" && (value == "yes" || value == "no")) {
      options->peer = value == "yes";
    } else {
      std::fprintf(stderr, "%s: unknown, or without a sensible value\n", argv[i]);
      return false;
    }
  }
  return true;
}

// Ids as a job has them: hashes.
Key KeyOfRank(uint64_t rank) {
  return Mix64(rank);
}

std::vector<Key> UniformKeys(size_t n, size_t rows, Rng& rng) {
  std::vector<Key> keys(n);
  for (Key& key : keys) {
    key = KeyOfRank(rng.Below(rows));
  }
  return keys;
}

// Exponent 1.05, by inverting the continuous distribution.
std::vector<Key> ZipfKeys(size_t n, size_t rows, Rng& rng) {
  constexpr double kExponent = 1.05;
  const double span = std::pow(static_cast<double>(rows), 1 - kExponent) - 1;
  std::vector<Key> keys(n);
  for (Key& key : keys) {
    const double rank = std::pow(span * rng.Uniform() + 1, 1 / (1 - kExponent));
    key = KeyOfRank(std::min<uint64_t>(static_cast<uint64_t>(rank) - 1, rows - 1));
  }
  return keys;
}

// Seconds that this thread had a processor: on an idle machine those of the wall clock, on a busy
// one without the time that others were given.
double ProcessorSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double SecondsOf(const std::function<void()>& work) {
  const double begin = ProcessorSeconds();
  work();
  return ProcessorSeconds() - begin;
}

// A system under test: batches of keys in, batches of weights out, batches of gradients in.
class Table {
 public:
  virtual ~Table() = default;
  virtual void Create(std::span<const Key> keys) = 0;
  virtual void Find(std::span<const Key> keys) = 0;
  virtual void FindAndCopy(std::span<const Key> keys, std::span<float> weights) = 0;
  // Of the rows that the last FindAndCopy found, when the system can remember them.
  virtual void Apply(std::span<const Key> keys, std::span<const float> gradients) = 0;
};

class OwnTable final : public Table {
 public:
  OwnTable() {
    RowTableOptions options{.table = 0,
                            .spec = {},
                            .seed = 1,
                            .shard_count = kShardCount,
                            .owned_shards = std::vector<ShardId>(kShardCount)};
    std::iota(options.owned_shards.begin(), options.owned_shards.end(), 0U);
    options.spec.set_dim(kDim);
    options.spec.mutable_optimizer()->mutable_rowwise_adagrad_optimizer();
    options.spec.mutable_initializer()->mutable_normal_initializer();
    table_ = RowTable::Create(options).value();
  }

  void Create(std::span<const Key> keys) override { Lookup(keys, LookupMode::kCreate); }
  void Find(std::span<const Key> keys) override { Lookup(keys, LookupMode::kFindOnly); }
  void FindAndCopy(std::span<const Key> keys, std::span<float> weights) override {
    rows_.resize(keys.size());
    table_->Read(keys, LookupMode::kFindOnly, rows_, weights);
  }
  void Apply(std::span<const Key> keys, std::span<const float> gradients) override {
    counts_.resize(keys.size(), 1 << 16);
    Lookup(keys, LookupMode::kFindOnly);
    table_->ApplyGradients(rows_, gradients, counts_, 1'800'000'000);
  }
  // The push that answers a pull: the rows are remembered, so there is no lookup. `rows` are those
  // of an earlier batch, long out of every cache.
  void ApplyByHandle(std::span<std::byte* const> rows, std::span<const float> gradients) {
    counts_.resize(rows.size(), 1 << 16);
    table_->ApplyGradients(rows, gradients, counts_, 1'800'000'000);
  }

  const std::vector<std::byte*>& rows() const { return rows_; }
  double bytes_per_row() const {
    return static_cast<double>(table_->bytes()) / static_cast<double>(table_->row_count());
  }

 private:
  void Lookup(std::span<const Key> keys, LookupMode mode) {
    rows_.resize(keys.size());
    table_->Lookup(keys, mode, rows_);
  }

  std::unique_ptr<RowTable> table_;
  std::vector<std::byte*> rows_;
  std::vector<uint32_t> counts_;
};

class UnorderedMapTable final : public Table {
 public:
  void Create(std::span<const Key> keys) override {
    for (const Key key : keys) {
      Row& row = map_[key];
      row.weights.fill(0.01F);
    }
  }
  void Find(std::span<const Key> keys) override {
    for (const Key key : keys) {
      found_ += map_.find(key) != map_.end() ? 1 : 0;
    }
  }
  void FindAndCopy(std::span<const Key> keys, std::span<float> weights) override {
    float* to = weights.data();
    for (const Key key : keys) {
      to = std::ranges::copy(map_.find(key)->second.weights, to).out;
    }
  }
  void Apply(std::span<const Key> keys, std::span<const float> gradients) override {
    const float* from = gradients.data();
    for (const Key key : keys) {
      Row& row = map_.find(key)->second;
      BestKernels().rowwise_adagrad_row(kDim, 0.1F, 1e-10F, from, row.weights.data(), &row.squares);
      from += kDim;
    }
  }

 private:
  struct Row {
    std::array<float, kDim> weights;
    float squares = 0.1F;
  };
  std::unordered_map<Key, Row> map_;
  size_t found_ = 0;
};

using KeyMaker = std::vector<Key> (*)(size_t n, size_t rows, Rng& rng);

// Rows a second of one kind of batch, in millions; each round is a few batches of fresh keys.
void MeasureBatches(const std::string& name, const Options& options, size_t rows, KeyMaker make,
                    const std::function<void(std::span<const Key>)>& work) {
  const size_t per_round =
      std::max<size_t>(options.batch, 1'000'000 / options.batch * options.batch);
  Rng rng(rows + 17);
  std::vector<double> seconds;
  for (size_t round = 0; round < options.rounds; ++round) {
    const std::vector<Key> keys = make(per_round, rows, rng);
    seconds.push_back(SecondsOf([&] {
      for (size_t at = 0; at < per_round; at += options.batch) {
        work(std::span(keys).subspan(at, options.batch));
      }
    }));
  }
  PrintFigure(name, static_cast<double>(per_round) * 1e-6, seconds);
}

void MeasureCreation(const std::string& name, const Options& options, size_t rows, Table& table) {
  std::vector<Key> keys(rows);
  for (size_t rank = 0; rank < rows; ++rank) {
    keys[rank] = KeyOfRank(rank);
  }
  const double seconds = SecondsOf([&] {
    for (size_t at = 0; at < rows; at += options.batch) {
      table.Create(std::span(keys).subspan(at, std::min(options.batch, rows - at)));
    }
  });
  PrintFigure(name + " create", static_cast<double>(rows) * 1e-6, {seconds});
}

void MeasureTable(const std::string& name, const Options& options, size_t rows, Table& table) {
  std::vector<float> weights(options.batch * kDim);
  const std::vector<float> gradients(options.batch * kDim, 1e-3F);
  MeasureCreation(name, options, rows, table);
  for (const auto& [law, make] : {std::pair<const char*, KeyMaker>{"uniform", UniformKeys},
                                  std::pair<const char*, KeyMaker>{"zipf", ZipfKeys}}) {
    const std::string label = name + " " + law;
    MeasureBatches(label + " find", options, rows, make,
                   [&](std::span<const Key> keys) { table.Find(keys); });
    MeasureBatches(label + " find+copy", options, rows, make,
                   [&](std::span<const Key> keys) { table.FindAndCopy(keys, weights); });
    MeasureBatches(label + " find+apply", options, rows, make,
                   [&](std::span<const Key> keys) { table.Apply(keys, gradients); });
  }
}

// Pushes that name the rows of pulls made long before.
void MeasureHandles(const Options& options, size_t rows, OwnTable& table) {
  const std::vector<float> gradients(options.batch * kDim, 1e-3F);
  const size_t batches = std::max<size_t>(1, 1'000'000 / options.batch);
  Rng rng(rows);
  std::vector<double> seconds;
  for (size_t round = 0; round < options.rounds; ++round) {
    std::vector<std::vector<std::byte*>> handles;
    for (size_t i = 0; i < batches; ++i) {
      table.Find(UniformKeys(options.batch, rows, rng));
      handles.push_back(table.rows());
    }
    seconds.push_back(SecondsOf([&] {
      for (const std::vector<std::byte*>& handle : handles) {
        table.ApplyByHandle(handle, gradients);
      }
    }));
  }
  PrintFigure("antiphon uniform apply by handle",
              static_cast<double>(batches * options.batch) * 1e-6, seconds);
}

void Run(const Options& options) {
  for (const size_t rows : options.rows) {
    std::printf("\n%zu rows of %u floats, row-wise Adagrad; million rows a second of the thread\n",
                rows, kDim);
    {
      OwnTable own;
      MeasureTable("antiphon", options, rows, own);
      MeasureHandles(options, rows, own);
      std::printf("%-40s %.1f bytes a row\n", "antiphon memory", own.bytes_per_row());
    }
    if (options.peer) {
      UnorderedMapTable peer;
      MeasureTable("unordered_map", options, rows, peer);
    }
  }
}

}  // namespace
}  // namespace antiphon

int main(int argc, char** argv) {
  antiphon::Options options;
  if (!antiphon::ParseOptions(argc, argv, &options)) {
    return 2;
  }
  std::string command;
  for (int i = 0; i < argc; ++i) {
    command.append(i == 0 ? "" : " ").append(argv[i]);
  }
  antiphon::PrintHeading(command);
  antiphon::Run(options);
  return 0;
}
