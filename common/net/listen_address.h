// Where a daemon may listen. What goes over its sockets is neither encrypted nor authenticated, so
// by default only this machine can reach them. Pure.
#pragma once

#include <string>
#include <string_view>

#include "common/base/status.h"

namespace antiphon {

enum class Reach {
  kThisMachine,  // loopback addresses only
  kAnyNetwork,   // the operator said that plaintext is safe there
};

// "127.0.0.1:0" as an address of the transport, "tcp://127.0.0.1:0". kInvalidArgument: it is not
// HOST:PORT; kPermissionDenied: the host is not loopback and `reach` does not allow it.
StatusOr<std::string> ListenAddress(std::string_view host_and_port, Reach reach);

}  // namespace antiphon
