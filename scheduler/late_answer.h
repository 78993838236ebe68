// LateAnswer: whom an answer is owed that takes longer than the asker's patience with one message.
//
// Such a request comes again while what it asks for is under way, and once more when the answer was
// lost: neither begins anything. Owned by the scheduler's thread.
#pragma once

#include <optional>
#include <utility>

#include "common/net/rpc.h"

namespace antiphon {

class LateAnswer {
 public:
  // The request repeats the one whose answer is owed.
  bool IsOwedTo(const ReplyAddress& asker) const { return Same(owed_, asker); }
  // The request repeats the one that was answered last.
  bool WasGivenTo(const ReplyAddress& asker) const { return Same(given_, asker); }

  void Owe(const ReplyAddress& asker) { owed_ = asker; }
  // To whom the answer goes now; nothing when nobody asked.
  std::optional<ReplyAddress> Give() {
    if (owed_.has_value()) {
      given_ = std::exchange(owed_, std::nullopt);
      return given_;
    }
    return std::nullopt;
  }

 private:
  static bool Same(const std::optional<ReplyAddress>& known, const ReplyAddress& asker) {
    return known.has_value() && known->to == asker.to && known->request_id == asker.request_id;
  }

  std::optional<ReplyAddress> owed_;
  std::optional<ReplyAddress> given_;
};

}  // namespace antiphon
