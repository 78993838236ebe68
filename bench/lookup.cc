// Rows for serving: bytes a row, how fast a table is exported, and how many rows a second one
// thread looks up in a mapped .emb file, in RocksDB and in Redis.
//
//   bench_lookup --rows=2000000 --dim=16 --dir=FOLDER [--redis=127.0.0.1:PORT]
//
// All hold the same rows and are asked for the same keys, in batches of a thousand that all exist,
// in a random order. RocksDB keeps everything in its block cache and is asked by MultiGet; Redis is
// asked by MGET over loopback. Each copies the floats out.
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <hiredis/hiredis.h>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/table.h>

#include "bench/figures.h"
#include "common/base/clock.h"
#include "common/base/file_system.h"
#include "common/base/hash.h"
#include "common/base/logging.h"
#include "common/base/rng.h"
#include "serving/emb_table.h"
#include "serving/emb_writer.h"
#include "serving/mapped_file.h"

namespace antiphon {
namespace {

constexpr size_t kBatch = 1000;
constexpr int kRounds = 7;

struct Options {
  uint64_t rows = 2000000;
  uint32_t dim = 16;
  uint64_t lookups = 1000000;  // of a round
  std::string dir;
  std::string redis;
};

class LookupBench {
 public:
  explicit LookupBench(const Options& options) : options_(options), rng_(1) {
    for (uint64_t i = 0; i < options.rows; ++i) {
      keys_.push_back(Mix64(i + 1));
    }
    std::ranges::sort(keys_);
    for (uint64_t i = 0; i < options.lookups; ++i) {
      asked_.push_back(keys_[rng_.Below(keys_.size())]);
    }
    out_.resize(kBatch * options.dim);
  }

  void Run() {
    for (const RowPrecision precision :
         {RowPrecision::kFp32, RowPrecision::kFp16, RowPrecision::kInt8}) {
      MeasureEmb(precision);
    }
    MeasureRocks();
    if (!options_.redis.empty()) {
      MeasureRedis();
    }
  }

 private:
  // The row of a key: some floats of about the size that embeddings have.
  void FillRow(Key key, std::vector<float>& row) const {
    for (size_t i = 0; i < row.size(); ++i) {
      row[i] = static_cast<float>(static_cast<double>(Mix64(key, i) >> 40) * 0x1p-24 - 0.5) * 0.1F;
    }
  }

  // Batches of all asked keys, round by round.
  template <typename Lookup>
  void MeasureRounds(const std::string& name, Lookup lookup) {
    std::vector<double> seconds;
    for (int round = 0; round < kRounds; ++round) {
      const Time start = clock_.Now();
      for (size_t first = 0; first + kBatch <= asked_.size(); first += kBatch) {
        lookup(std::span<const Key>(asked_).subspan(first, kBatch));
      }
      seconds.push_back(SecondsBetween(start, clock_.Now()));
    }
    PrintFigure(name, static_cast<double>(asked_.size() / kBatch * kBatch), seconds);
  }

  void MeasureEmb(RowPrecision precision) {
    const std::string name(PrecisionName(precision));
    const std::string path = options_.dir + "/table." + name + ".emb";
    std::vector<float> row(options_.dim);
    uint64_t bytes = 0;
    std::vector<double> seconds;
    for (int round = 0; round < 3; ++round) {
      const Time start = clock_.Now();
      auto writer = EmbWriter::Create(
          fs_, path, {.model_id = 1, .version = 1, .dim = options_.dim, .precision = precision},
          keys_);
      CHECK(writer.ok()) << writer.status();
      for (const Key key : keys_) {
        FillRow(key, row);
        CHECK((*writer)->Add(row).ok());
      }
      const StatusOr<ServedFile> file = (*writer)->Finish();
      CHECK(file.ok()) << file.status();
      bytes = file->bytes();
      seconds.push_back(SecondsBetween(start, clock_.Now()));
    }
    std::cout << name << ": " << static_cast<double>(bytes) / static_cast<double>(keys_.size())
              << " bytes a row, index included\n";
    PrintFigure(name + ": bytes written and synced", static_cast<double>(bytes), seconds);
    const auto mapped = MappedFile::Open(path);
    CHECK(mapped.ok()) << mapped.status();
    const Time start = clock_.Now();
    const StatusOr<EmbTable> table = EmbTable::Open((*mapped)->bytes());
    CHECK(table.ok()) << table.status();
    PrintFigure(name + ": bytes opened and checked", static_cast<double>(bytes),
                {SecondsBetween(start, clock_.Now())});
    MeasureRounds(name + ": rows looked up", [&](std::span<const Key> keys) {
      CHECK_EQ(table->Lookup(keys, out_.data()), kBatch);
    });
  }

  void MeasureRocks() {
    rocksdb::Options options;
    options.create_if_missing = true;
    options.compression = rocksdb::kNoCompression;
    rocksdb::BlockBasedTableOptions table;
    table.block_cache = rocksdb::NewLRUCache(size_t{4} << 30);
    options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    rocksdb::DB* opened = nullptr;
    const auto status = rocksdb::DB::Open(options, options_.dir + "/rocks", &opened);
    CHECK(status.ok()) << status.ToString();
    const std::unique_ptr<rocksdb::DB> db(opened);
    std::vector<float> row(options_.dim);
    rocksdb::WriteOptions unlogged;
    unlogged.disableWAL = true;
    for (const Key key : keys_) {
      FillRow(key, row);
      CHECK(db->Put(unlogged, KeyBytes(key), FloatBytes(row)).ok());
    }
    CHECK(db->CompactRange({}, nullptr, nullptr).ok());
    std::vector<rocksdb::Slice> slices(kBatch);
    std::vector<rocksdb::PinnableSlice> values(kBatch);
    std::vector<rocksdb::Status> found(kBatch);
    MeasureRounds("RocksDB MultiGet: rows", [&](std::span<const Key> keys) {
      for (size_t i = 0; i < kBatch; ++i) {
        slices[i] = KeyBytes(keys[i]);
        values[i].Reset();
      }
      db->MultiGet({}, db->DefaultColumnFamily(), kBatch, slices.data(), values.data(),
                   found.data());
      for (size_t i = 0; i < kBatch; ++i) {
        CHECK(found[i].ok());
        std::memcpy(&out_[i * options_.dim], values[i].data(), values[i].size());
      }
    });
  }

  void MeasureRedis() {
    const size_t colon = options_.redis.rfind(':');
    redisContext* redis = redisConnect(options_.redis.substr(0, colon).c_str(),
                                       std::stoi(options_.redis.substr(colon + 1)));
    CHECK(redis != nullptr && redis->err == 0) << "no Redis at " << options_.redis;
    std::vector<float> row(options_.dim);
    for (size_t first = 0; first < keys_.size(); first += kBatch) {
      const size_t last = std::min(first + kBatch, keys_.size());
      for (size_t i = first; i < last; ++i) {
        FillRow(keys_[i], row);
        redisAppendCommand(redis, "SET %b %b", &keys_[i], sizeof(Key), row.data(),
                           row.size() * sizeof(float));
      }
      for (size_t i = first; i < last; ++i) {
        freeReplyObject(Reply(redis));
      }
    }
    std::vector<const char*> words(kBatch + 1, "MGET");
    std::vector<size_t> sizes(kBatch + 1, sizeof(Key));
    sizes[0] = std::strlen(words[0]);
    MeasureRounds("Redis MGET: rows", [&](std::span<const Key> keys) {
      for (size_t i = 0; i < kBatch; ++i) {
        words[i + 1] = reinterpret_cast<const char*>(&keys[i]);
      }
      redisAppendCommandArgv(redis, static_cast<int>(words.size()), words.data(), sizes.data());
      redisReply* reply = Reply(redis);
      CHECK_EQ(reply->elements, kBatch);
      for (size_t i = 0; i < kBatch; ++i) {
        CHECK_EQ(reply->element[i]->len, options_.dim * sizeof(float));
        std::memcpy(&out_[i * options_.dim], reply->element[i]->str, reply->element[i]->len);
      }
      freeReplyObject(reply);
    });
    redisFree(redis);
  }

  static redisReply* Reply(redisContext* redis) {
    void* reply = nullptr;
    CHECK_EQ(redisGetReply(redis, &reply), REDIS_OK);
    return static_cast<redisReply*>(reply);
  }

  static rocksdb::Slice KeyBytes(const Key& key) {
    return {reinterpret_cast<const char*>(&key), sizeof key};
  }
  static rocksdb::Slice FloatBytes(const std::vector<float>& row) {
    return {reinterpret_cast<const char*>(row.data()), row.size() * sizeof(float)};
  }

  const Options options_;
  Rng rng_;
  SystemClock clock_;
  PosixFileSystem fs_;
  std::vector<Key> keys_;  // ascending
  std::vector<Key> asked_;
  std::vector<float> out_;
};

int Main(int argc, char** argv) {
  Options options;
  CLI::App app("Measures how rows are looked up for serving.", "bench_lookup");
  app.add_option("--rows", options.rows, "rows of the table");
  app.add_option("--dim", options.dim, "floats of a row");
  app.add_option("--lookups", options.lookups, "rows looked up in a round");
  app.add_option("--dir", options.dir, "folder for files")->required();
  app.add_option("--redis", options.redis, "HOST:PORT of an empty Redis");
  CLI11_PARSE(app, argc, argv);
  std::filesystem::create_directories(options.dir);
  PrintHeading("bench/lookup --rows=" + std::to_string(options.rows) +
               " --dim=" + std::to_string(options.dim));
  LookupBench(options).Run();
  return 0;
}

}  // namespace
}  // namespace antiphon

int main(int argc, char** argv) {
  return antiphon::Main(argc, argv);
}
