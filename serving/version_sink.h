// VersionSink: somewhere that versions are pushed to besides the directory, and that keeps its own
// account of how far it has come.
//
// Owned by the thread that publishes: it calls a sink whenever CURRENT has moved, and again every
// so often while the sink lags behind. Nothing of the chain is removed during a call.
#pragma once

#include <string>

#include "common/base/status.h"
#include "serving/version_chain.h"

namespace antiphon {

class VersionSink {
 public:
  virtual ~VersionSink() = default;

  // For people: what it is and where, as in "redis 127.0.0.1:6379".
  virtual const std::string& name() const = 0;

  // Brings the sink from wherever it stands to the end of `chain`, and does nothing where it is
  // there already. An error leaves it at an older version, whole, and is tried again later.
  virtual Status CatchUp(const VersionChain& chain) = 0;
};

}  // namespace antiphon
