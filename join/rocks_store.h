// RocksStore: a joiner's store on disk, in a RocksDB of its own.
//
// One process at a time has it open. Owned by one thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "join/join_store.h"

namespace antiphon {

class RocksStore final : public JoinStore {
 public:
  // Makes the folder where it is missing. kUnavailable: another process has it open.
  static StatusOr<std::unique_ptr<RocksStore>> Open(const std::string& folder);
  ~RocksStore() override;

  StatusOr<std::optional<std::string>> Get(const std::string& key) override;
  Status Scan(const std::string& prefix, const std::string& begin, const Visit& visit) override;
  Status Commit(const std::vector<StoreChange>& changes) override;

 private:
  struct Database;  // keeps RocksDB's headers out of here

  explicit RocksStore(std::unique_ptr<Database> database);

  std::unique_ptr<Database> database_;
};

}  // namespace antiphon
