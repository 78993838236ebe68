#include "common/net/zmq_transport.h"

#include "common/net/zmq_endpoint.h"

namespace antiphon {

StatusOr<std::unique_ptr<ZmqTransport>> ZmqTransport::Create() {
  AP_ASSIGN_OR_RETURN(ZmqContext context, OpenZmqContext());
  return std::unique_ptr<ZmqTransport>(new ZmqTransport(std::move(context)));
}

StatusOr<std::unique_ptr<Endpoint>> ZmqTransport::Open(const EndpointOptions& options) {
  return ZmqEndpoint::Open(options, context_);
}

}  // namespace antiphon
