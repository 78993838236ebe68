#include "serving/push/push_target.h"

namespace antiphon {

VersionPosition PositionOf(const VersionLink& link) {
  return {.model_id = link.signature.model_id(),
          .version = link.signature.version(),
          .digest = link.digest};
}

size_t FirstMissing(const std::optional<VersionPosition>& position, const VersionChain& chain) {
  if (!position.has_value() || position->model_id != chain.back().signature.model_id()) {
    return 0;
  }
  for (size_t i = 0; i < chain.size(); ++i) {
    if (PositionOf(chain[i]) == *position) {
      return i + 1;
    }
  }
  return position->version > chain.back().signature.version() ? chain.size() : 0;
}

Status CatchUp(PushTarget& target, const VersionChain& chain,
               const std::function<void(const std::optional<VersionPosition>&)>& note) {
  AP_ASSIGN_OR_RETURN(const std::optional<VersionPosition> position,
                      target.Position(chain.back().signature.model_id()));
  note(position);
  for (size_t i = FirstMissing(position, chain); i < chain.size(); ++i) {
    AP_RETURN_IF_ERROR(target.Push(chain[i]).WithContext(
        "version " + std::to_string(chain[i].signature.version())));
    note(PositionOf(chain[i]));
  }
  return Status();
}

}  // namespace antiphon
