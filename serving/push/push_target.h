// PushTarget: a place that versions are pushed to, and which itself knows how far it has come.
//
// What an exporter remembers does not count: it may have been killed, moved, or be older than what
// the target was restored to. So every round begins with a question to the target. Owned by one
// thread.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "common/base/status.h"
#include "serving/push/version_position.h"
#include "serving/version_chain.h"

namespace antiphon {

class PushTarget {
 public:
  virtual ~PushTarget() = default;

  // What it is and where, as in "redis 127.0.0.1:6379/0".
  virtual const std::string& name() const = 0;

  // The version that it serves of this model, asked of the target itself. Nothing: it has none, or
  // none that steps may be put upon.
  virtual StatusOr<std::optional<VersionPosition>> Position(const std::string& model_id) = 0;

  // One version: with all rows, or the step behind the one at Position. Doing it again after a
  // failure, or after a crash of whoever did it, comes out the same.
  virtual Status Push(const VersionLink& link) = 0;
};

VersionPosition PositionOf(const VersionLink& link);

// The first link of the chain that a target at `position` lacks; the chain's size: none. One that
// stands anywhere else is given the whole chain, unless it is further on in the same model: then
// the directory will catch up, and nothing goes back.
size_t FirstMissing(const std::optional<VersionPosition>& position, const VersionChain& chain);

// Pushes what the target lacks, and tells `note` where it stands, first and after each push.
Status CatchUp(PushTarget& target, const VersionChain& chain,
               const std::function<void(const std::optional<VersionPosition>&)>& note);

}  // namespace antiphon
