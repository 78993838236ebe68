#include "join/open_impressions.h"

#include "common/base/logging.h"

namespace antiphon {
namespace {

constexpr size_t kLoadAtOnce = 256;

// What a request takes apart from the bytes that it came with: nodes of the map and the order.
constexpr uint64_t kSlotOverhead = 256;

}  // namespace

Status OpenImpressions::Load() {
  CHECK(slots_.empty() && disk_only_ == 0) << "loaded once";
  return store_.Scan(std::string(kDuePrefix), std::string(kDuePrefix),
                     [this](std::string_view key, std::string_view) {
                       if (disk_only_++ == 0) {
                         first_disk_due_ = key;
                       }
                       return true;
                     });
}

OpenImpressions::Slots::iterator OpenImpressions::Insert(const std::string& request, Slot slot) {
  const auto added = slots_.emplace(request, std::move(slot)).first;
  due_.emplace(added->second.open.due_ms, added->first);
  Count(request, added->second);
  return added;
}

void OpenImpressions::Erase(Slots::iterator found) {
  due_.erase({found->second.open.due_ms, found->first});
  memory_bytes_ -= found->second.bytes;
  slots_.erase(found);
}

void OpenImpressions::Count(const std::string& request, Slot& slot) {
  const uint64_t bytes = kSlotOverhead + request.size() + slot.open.fields.size() +
                         slot.open.feedback.size() * sizeof(SeenFeedback);
  memory_bytes_ += bytes - slot.bytes;
  slot.bytes = bytes;
}

StatusOr<OpenImpression*> OpenImpressions::Find(const std::string& request) {
  const auto found = slots_.find(request);
  if (found != slots_.end()) {
    return &found->second.open;
  }
  OpenImpression* const none = nullptr;
  if (disk_only_ == 0 || removed_.contains(request)) {
    return none;
  }
  AP_ASSIGN_OR_RETURN(const std::optional<std::string> bytes, store_.Get(ImpressionKey(request)));
  if (!bytes.has_value()) {
    return none;
  }
  AP_ASSIGN_OR_RETURN(OpenImpression open, DecodeOpenImpression(rules_, *bytes));
  const int64_t due_ms = open.due_ms;
  ++loads_;
  --disk_only_;
  const auto added = Insert(request, {.open = std::move(open), .stored_due_ms = due_ms});
  return &added->second.open;
}

StatusOr<OpenImpression*> OpenImpressions::FindOrAdd(const std::string& request) {
  AP_ASSIGN_OR_RETURN(OpenImpression* const found, Find(request));
  if (found != nullptr) {
    return found;
  }
  Slot slot;
  if (const auto removed = removed_.find(request); removed != removed_.end()) {
    slot.stored_due_ms = removed->second;
    removed_.erase(removed);
  }
  const auto added = Insert(request, std::move(slot));
  NoteChange(added->first, added->second);
  return &added->second.open;
}

void OpenImpressions::NoteChange(const std::string& request, Slot& slot) {
  if (!slot.is_changed) {
    slot.is_changed = true;
    changed_.push_back(request);
  }
}

void OpenImpressions::Schedule(const std::string& request, int64_t due_ms) {
  const auto found = slots_.find(request);
  CHECK(found != slots_.end()) << request;
  Slot& slot = found->second;
  NoteChange(found->first, slot);
  if (slot.open.due_ms != due_ms) {
    due_.erase({slot.open.due_ms, found->first});
    slot.open.due_ms = due_ms;
    due_.emplace(due_ms, found->first);
  }
  Count(request, slot);
}

void OpenImpressions::Remove(const std::string& request) {
  const auto found = slots_.find(request);
  CHECK(found != slots_.end()) << request;
  if (found->second.stored_due_ms.has_value()) {
    removed_.emplace(request, *found->second.stored_due_ms);
  }
  Erase(found);
}

StatusOr<std::optional<OpenImpressions::Due>> OpenImpressions::FirstDue(int64_t before_ms) {
  while (!first_disk_due_.empty()) {
    AP_ASSIGN_OR_RETURN(const DueRequest disk, ParseDueKey(first_disk_due_));
    const bool is_first =
        due_.empty() || std::pair(disk.due_ms, std::string_view(disk.request)) < *due_.begin();
    if (!is_first || disk.due_ms >= before_ms) {
      break;
    }
    AP_RETURN_IF_ERROR(LoadDue());
  }
  if (due_.empty() || due_.begin()->first >= before_ms) {
    return std::optional<Due>();
  }
  const std::string request(due_.begin()->second);
  return std::optional<Due>(
      {.request = request, .due_ms = due_.begin()->first, .open = &slots_.at(request).open});
}

Status OpenImpressions::LoadDue() {
  std::vector<DueRequest> wanted;
  const std::string begin = std::exchange(first_disk_due_, "");
  Status status;
  AP_RETURN_IF_ERROR(
      store_.Scan(std::string(kDuePrefix), begin, [&](std::string_view key, std::string_view) {
        StatusOr<DueRequest> due = ParseDueKey(key);
        if (!due.ok()) {
          status = due.status();
          return false;
        }
        if (slots_.contains(due->request) || removed_.contains(due->request)) {
          return true;
        }
        if (wanted.size() == kLoadAtOnce) {
          first_disk_due_ = key;
          return false;
        }
        wanted.push_back(*std::move(due));
        return true;
      }));
  AP_RETURN_IF_ERROR(status);
  for (const DueRequest& due : wanted) {
    AP_ASSIGN_OR_RETURN(const OpenImpression* const found, Find(due.request));
    if (found == nullptr) {
      return DataLossError("the joiner's state has a due time of " + due.request +
                           ", which is not open");
    }
  }
  return Status();
}

void OpenImpressions::ListChanges(std::vector<StoreChange>& changes) const {
  for (const auto& [request, stored_due_ms] : removed_) {
    changes.push_back({ImpressionKey(request), std::nullopt});
    changes.push_back({DueKey(stored_due_ms, request), std::nullopt});
  }
  for (const std::string& request : changed_) {
    const auto found = slots_.find(request);
    if (found == slots_.end() || !found->second.is_changed) {
      continue;
    }
    const Slot& slot = found->second;
    const int64_t due_ms = slot.open.due_ms;
    changes.push_back({ImpressionKey(request), EncodeOpenImpression(slot.open)});
    if (slot.stored_due_ms != due_ms) {
      if (slot.stored_due_ms.has_value()) {
        changes.push_back({DueKey(*slot.stored_due_ms, request), std::nullopt});
      }
      changes.push_back({DueKey(due_ms, request), std::string()});
    }
  }
}

void OpenImpressions::NoteCommitted() {
  removed_.clear();
  for (const std::string& request : changed_) {
    if (const auto found = slots_.find(request); found != slots_.end()) {
      found->second.stored_due_ms = found->second.open.due_ms;
      found->second.is_changed = false;
    }
  }
  changed_.clear();
}

void OpenImpressions::Shrink(uint64_t bytes) {
  while (memory_bytes_ > bytes && !due_.empty()) {
    const auto last = std::prev(due_.end());
    const auto found = slots_.find(std::string(last->second));
    if (found->second.is_changed) {
      return;  // after the next commit
    }
    std::string key = DueKey(found->second.open.due_ms, found->first);
    if (first_disk_due_.empty() || key < first_disk_due_) {
      first_disk_due_ = std::move(key);
    }
    ++disk_only_;
    Erase(found);
  }
}

}  // namespace antiphon
