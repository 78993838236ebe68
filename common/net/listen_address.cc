#include "common/net/listen_address.h"

#include "common/base/text.h"

namespace antiphon {
namespace {

constexpr std::string_view kScheme = "tcp://";
constexpr uint64_t kMaxPort = 65535;

// ZeroMQ resolves no name here but an interface's, so a name that looks like loopback is spelled
// out: 127.x.y.z.
bool IsLoopback(std::string_view host) {
  return host.starts_with("127.") &&
         host.find_first_not_of("0123456789.") == std::string_view::npos;
}

}  // namespace

StatusOr<std::string> ListenAddress(std::string_view host_and_port, Reach reach) {
  std::string_view rest = host_and_port;
  if (rest.starts_with(kScheme)) {
    rest.remove_prefix(kScheme.size());
  }
  const size_t colon = rest.rfind(':');
  const std::string_view host = rest.substr(0, colon);
  const auto port =
      colon == std::string_view::npos ? std::nullopt : ParseUint(rest.substr(colon + 1));
  if (host.empty() || !port.has_value() || *port > kMaxPort) {
    return InvalidArgumentError("cannot listen at '" + std::string(host_and_port) +
                                "', expected HOST:PORT such as 127.0.0.1:0 (port 0: any free one)");
  }
  if (reach == Reach::kThisMachine && !IsLoopback(host)) {
    return PermissionDeniedError(
        "refusing to listen at " + std::string(host_and_port) +
        ": traffic is not encrypted and anybody who reaches the port can change the model; bind "
        "127.0.0.1, or say --i_know_plaintext_is_unsafe on a network that you trust");
  }
  return std::string(kScheme) + std::string(rest);
}

}  // namespace antiphon
