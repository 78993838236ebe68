// LanePeers: the connections of one endpoint to the lanes of a cluster view.
//
// A lane that is the same process at the same address in the next view stays connected, whatever
// its number is there. Owned by the endpoint's thread.
#pragma once

#include <vector>

#include "common/base/status.h"
#include "common/base/types.h"
#include "common/net/transport.h"
#include "proto/cluster.pb.h"

namespace antiphon {

class LanePeers {
 public:
  explicit LanePeers(Endpoint& endpoint) : endpoint_(endpoint) {}

  // From now on lanes are those of `view`. Takes leave of those that are not in it, and meets those
  // that are new, who get ids that no lane had before. An error names the lane's address.
  Status Connect(const ClusterView& view);

  // By lane.
  const std::vector<PeerId>& ids() const { return ids_; }

 private:
  Endpoint& endpoint_;
  ClusterView view_;
  std::vector<PeerId> ids_;
};

}  // namespace antiphon
