// OpenImpressions: the requests whose windows are open, by request and by when something is due.
//
// Those that are due soon are in memory. Beyond a bound in bytes the ones that are due last are
// left to the store, which has all of them after every commit; they come back when feedback names
// them or their time comes. Owned by one thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "join/join_rules.h"
#include "join/join_store.h"
#include "join/open_impression.h"

namespace antiphon {

class OpenImpressions {
 public:
  // `store` is empty, or has what an earlier life under the same rules committed.
  OpenImpressions(const JoinRules& rules, JoinStore& store) : rules_(rules), store_(store) {}

  // Learns what the store has; nothing is read into memory yet. Before anything else.
  Status Load();

  // The open request, or null. Valid until the next call of anything here.
  StatusOr<OpenImpression*> Find(const std::string& request);
  // The same, made where it is not there.
  StatusOr<OpenImpression*> FindOrAdd(const std::string& request);

  // To be called after every change: when something is due for it next.
  void Schedule(const std::string& request, int64_t due_ms);
  void Remove(const std::string& request);

  // The request that is due first, if that is before `before_ms`; of several, the smallest name.
  struct Due {
    std::string request;
    int64_t due_ms = 0;
    OpenImpression* open = nullptr;
  };
  StatusOr<std::optional<Due>> FirstDue(int64_t before_ms);

  // Adds to `changes` what the store does not know yet. After the commit: NoteCommitted.
  void ListChanges(std::vector<StoreChange>& changes) const;
  void NoteCommitted();

  // Leaves to the store what exceeds `bytes`, as far as it is committed.
  void Shrink(uint64_t bytes);

  uint64_t memory_bytes() const { return memory_bytes_; }
  uint64_t in_memory() const { return slots_.size(); }
  uint64_t on_disk() const { return disk_only_; }
  uint64_t loads() const { return loads_; }  // that came back from the store

 private:
  struct Slot {
    OpenImpression open;
    std::optional<int64_t> stored_due_ms;  // what the store has, if it has it
    bool is_changed = false;               // against the store
    uint64_t bytes = 0;                    // as counted in memory_bytes_
  };
  using Slots = std::unordered_map<std::string, Slot>;
  using DueOrder = std::set<std::pair<int64_t, std::string_view>>;  // views of the keys of slots_

  Slots::iterator Insert(const std::string& request, Slot slot);
  void Erase(Slots::iterator found);
  void Count(const std::string& request, Slot& slot);
  void NoteChange(const std::string& request, Slot& slot);
  // Brings in the next few requests that only the store has, in the order of their due times.
  Status LoadDue();

  const JoinRules& rules_;
  JoinStore& store_;
  Slots slots_;
  DueOrder due_;
  std::vector<std::string> changed_;        // names of changed slots; some may be gone since
  std::map<std::string, int64_t> removed_;  // and still in the store, with their due times there
  uint64_t memory_bytes_ = 0;
  uint64_t disk_only_ = 0;
  uint64_t loads_ = 0;
  // Of the requests that only the store has, none has a smaller DueKey; empty: there is none.
  std::string first_disk_due_;
};

}  // namespace antiphon
