// MemoryJoinStore: a joiner's store in memory. What is committed survives the joiner, as it would a
// kill; a commit can be made to fail, before or after it has happened.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "join/join_store.h"

namespace antiphon {

class MemoryJoinStore final : public JoinStore {
 public:
  StatusOr<std::optional<std::string>> Get(const std::string& key) override {
    ++gets_;
    const auto found = contents_.find(key);
    return found == contents_.end() ? std::optional<std::string>() : found->second;
  }

  Status Scan(const std::string& prefix, const std::string& begin, const Visit& visit) override {
    for (auto at = contents_.lower_bound(begin); at != contents_.end(); ++at) {
      if (!at->first.starts_with(prefix) || !visit(at->first, at->second)) {
        break;
      }
    }
    return Status();
  }

  Status Commit(const std::vector<StoreChange>& changes) override {
    if (fail_commits_) {
      return UnavailableError("the store is told to fail");
    }
    for (const StoreChange& change : changes) {
      if (change.value.has_value()) {
        contents_[change.key] = *change.value;
      } else {
        contents_.erase(change.key);
      }
    }
    return Status();
  }

  void FailCommits(bool fail) { fail_commits_ = fail; }
  int gets() const { return gets_; }
  const std::map<std::string, std::string>& contents() const { return contents_; }

 private:
  std::map<std::string, std::string> contents_;
  bool fail_commits_ = false;
  int gets_ = 0;
};

}  // namespace antiphon
