// StepHandles: where the rows of a pull lie, so that the push that answers it needs no keys.
//
// Remembers the last steps of each sender, forgetting the oldest first; a push whose pull is
// forgotten is sent again with its keys. Memory is reused, so a steady state allocates nothing.
// Owned by one lane. What it keeps is good until a row is removed: one that ForEachRow names
// stays, or Clear is called.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "common/base/types.h"

namespace antiphon {

// What one pull found. `rows` of all tables follow one another, in the order of the tables.
template <typename RowRef>
struct StepRows {
  struct Slice {
    TableId table = 0;
    uint32_t count = 0;
    friend bool operator==(const Slice&, const Slice&) = default;
  };
  std::vector<Slice> slices;
  std::vector<RowRef> rows;
};

template <typename RowRef>
class StepHandles {
 public:
  static constexpr size_t kStepsOfASender = 8;

  explicit StepHandles(size_t max_senders = 256) : max_senders_(max_senders) {}

  // The rows of this step, emptied, to be filled by the caller. A step that is known already is
  // replaced; otherwise the sender's oldest step goes, or the sender that was silent longest.
  StepRows<RowRef>& Open(Incarnation sender, uint64_t step) {
    Sender& owner = FindOrReplace(sender);
    Slot& slot = SlotFor(owner, step);
    slot.used = true;
    slot.step = step;
    slot.opened_at = ++now_;
    slot.found.slices.clear();
    slot.found.rows.clear();
    return slot.found;
  }

  // Null when it was never opened or is forgotten.
  const StepRows<RowRef>* Find(Incarnation sender, uint64_t step) {
    for (const std::unique_ptr<Sender>& owner : senders_) {
      if (owner->incarnation != sender) {
        continue;
      }
      owner->used_at = ++now_;
      for (const Slot& slot : owner->slots) {
        if (slot.used && slot.step == step) {
          return &slot.found;
        }
      }
    }
    return nullptr;
  }

  void Forget(Incarnation sender, uint64_t step) {
    for (const std::unique_ptr<Sender>& owner : senders_) {
      if (owner->incarnation != sender) {
        continue;
      }
      for (Slot& slot : owner->slots) {
        if (slot.used && slot.step == step) {
          slot.used = false;
        }
      }
    }
  }

  // Grows with every use; tells what was opened before and after.
  uint64_t uses() const { return now_ + 1; }
  void ForgetOpenedBefore(uint64_t use) {
    for (const std::unique_ptr<Sender>& owner : senders_) {
      for (Slot& slot : owner->slots) {
        slot.used = slot.used && slot.opened_at >= use;
      }
    }
  }

  // Calls visit(row) for every row of every remembered step.
  template <typename Visit>
  void ForEachRow(Visit visit) const {
    for (const std::unique_ptr<Sender>& owner : senders_) {
      for (const Slot& slot : owner->slots) {
        if (slot.used) {
          std::ranges::for_each(slot.found.rows, visit);
        }
      }
    }
  }

  // Forgets every step; the memory stays.
  void Clear() {
    for (const std::unique_ptr<Sender>& owner : senders_) {
      for (Slot& slot : owner->slots) {
        slot.used = false;
      }
    }
  }

  size_t sender_count() const { return senders_.size(); }

 private:
  struct Slot {
    bool used = false;
    uint64_t step = 0;
    uint64_t opened_at = 0;
    StepRows<RowRef> found;
  };
  struct Sender {
    Incarnation incarnation = 0;
    uint64_t used_at = 0;
    std::array<Slot, kStepsOfASender> slots;
  };

  Sender& FindOrReplace(Incarnation sender) {
    Sender* oldest = nullptr;
    for (const std::unique_ptr<Sender>& owner : senders_) {
      if (owner->incarnation == sender) {
        owner->used_at = ++now_;
        return *owner;
      }
      if (oldest == nullptr || owner->used_at < oldest->used_at) {
        oldest = owner.get();
      }
    }
    if (senders_.size() < max_senders_) {
      senders_.push_back(std::make_unique<Sender>());
      oldest = senders_.back().get();
    }
    for (Slot& slot : oldest->slots) {
      slot.used = false;
    }
    oldest->incarnation = sender;
    oldest->used_at = ++now_;
    return *oldest;
  }

  static Slot& SlotFor(Sender& owner, uint64_t step) {
    Slot* oldest = &owner.slots[0];
    for (Slot& slot : owner.slots) {
      if (slot.used && slot.step == step) {
        return slot;
      }
      const bool better =
          slot.used == oldest->used ? slot.opened_at < oldest->opened_at : !slot.used;
      oldest = better ? &slot : oldest;
    }
    return *oldest;
  }

  size_t max_senders_;
  uint64_t now_ = 0;  // counts uses; orders them
  std::vector<std::unique_ptr<Sender>> senders_;
};

}  // namespace antiphon
