#include "serving/tombstone.h"

namespace antiphon {

std::string_view TombstoneReasonName(TombstoneReason reason) {
  switch (reason) {
    case TombstoneReason::kAge:
      return "age";
    case TombstoneReason::kScore:
      return "score";
    case TombstoneReason::kMemory:
      return "memory";
    case TombstoneReason::kFiltered:
      return "filtered";
  }
  return "unknown";
}

}  // namespace antiphon
