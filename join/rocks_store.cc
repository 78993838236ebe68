#include "join/rocks_store.h"

#include <utility>

#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

namespace antiphon {
namespace {

constexpr size_t kWriteBufferBytes = 32 << 20;
constexpr size_t kCacheBytes = 32 << 20;
constexpr double kBloomBits = 10;  // a look for a request that is not there costs no read

Status StatusOf(const rocksdb::Status& status, const std::string& folder) {
  if (status.ok()) {
    return Status();
  }
  const std::string message = folder + ": " + status.ToString();
  if (status.IsCorruption()) {
    return DataLossError(message);
  }
  return UnavailableError(message);
}

rocksdb::Options OptionsOfState() {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.write_buffer_size = kWriteBufferBytes;
  options.keep_log_file_num = 2;  // of its own log, not of the data's
  // Requests are written, looked up once or twice and deleted.
  options.compression = rocksdb::kLZ4Compression;
  rocksdb::BlockBasedTableOptions table;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(kBloomBits));
  table.block_cache = rocksdb::NewLRUCache(kCacheBytes);
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

}  // namespace

struct RocksStore::Database {
  std::string folder;
  std::unique_ptr<rocksdb::DB> db;
};

RocksStore::RocksStore(std::unique_ptr<Database> database) : database_(std::move(database)) {}

RocksStore::~RocksStore() = default;

StatusOr<std::unique_ptr<RocksStore>> RocksStore::Open(const std::string& folder) {
  rocksdb::DB* opened = nullptr;
  AP_RETURN_IF_ERROR(StatusOf(rocksdb::DB::Open(OptionsOfState(), folder, &opened), folder));
  auto database = std::make_unique<Database>();
  database->folder = folder;
  database->db.reset(opened);
  return std::unique_ptr<RocksStore>(new RocksStore(std::move(database)));
}

StatusOr<std::optional<std::string>> RocksStore::Get(const std::string& key) {
  std::string value;
  const rocksdb::Status status = database_->db->Get(rocksdb::ReadOptions(), key, &value);
  if (status.IsNotFound()) {
    return std::optional<std::string>();
  }
  AP_RETURN_IF_ERROR(StatusOf(status, database_->folder));
  return std::optional(std::move(value));
}

Status RocksStore::Scan(const std::string& prefix, const std::string& begin, const Visit& visit) {
  const std::unique_ptr<rocksdb::Iterator> at(database_->db->NewIterator(rocksdb::ReadOptions()));
  for (at->Seek(begin); at->Valid(); at->Next()) {
    const std::string_view key = at->key().ToStringView();
    if (!key.starts_with(prefix) || !visit(key, at->value().ToStringView())) {
      break;
    }
  }
  return StatusOf(at->status(), database_->folder);
}

Status RocksStore::Commit(const std::vector<StoreChange>& changes) {
  rocksdb::WriteBatch batch;
  for (const StoreChange& change : changes) {
    const rocksdb::Status added =
        change.value.has_value() ? batch.Put(change.key, *change.value) : batch.Delete(change.key);
    AP_RETURN_IF_ERROR(StatusOf(added, database_->folder));
  }
  rocksdb::WriteOptions options;
  options.sync = true;
  return StatusOf(database_->db->Write(options, &batch), database_->folder);
}

}  // namespace antiphon
