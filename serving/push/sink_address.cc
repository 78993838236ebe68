#include "serving/push/sink_address.h"

#include <optional>
#include <string_view>

#include "common/base/text.h"

namespace antiphon {
namespace {

bool IsHostAndPort(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) {
    return false;
  }
  const std::optional<uint64_t> port = ParseUint(text.substr(colon + 1));
  return port.has_value() && *port >= 1 && *port <= 65535;
}

}  // namespace

StatusOr<RedisAddress> ParseRedisAddress(const std::string& text, const std::string& password_env) {
  const size_t slash = text.find('/');
  const std::optional<uint64_t> database =
      slash == std::string::npos ? std::optional<uint64_t>(0) : ParseUint(text.substr(slash + 1));
  if (!IsHostAndPort(text.substr(0, slash)) || !database.has_value() || *database > 65535) {
    return InvalidArgumentError("--redis=" + text + ": expected HOST:PORT or HOST:PORT/DATABASE");
  }
  RedisAddress address;
  address.server.set_address(text.substr(0, slash));
  address.server.set_password_env(password_env);
  address.database = static_cast<int>(*database);
  return address;
}

std::string RedisName(const RedisAddress& address) {
  return "redis " + address.server.address() + "/" + std::to_string(address.database);
}

StatusOr<KafkaStream> ParseKafkaAddress(const std::string& text,
                                        std::span<const std::string> properties) {
  const size_t slash = text.rfind('/');
  bool is_good = slash != std::string::npos && slash + 1 < text.size();
  for (const std::string_view broker : Split(std::string_view(text).substr(0, slash), ",")) {
    is_good = is_good && IsHostAndPort(broker);
  }
  if (!is_good) {
    return InvalidArgumentError("--kafka=" + text + ": expected HOST:PORT[,HOST:PORT...]/TOPIC");
  }
  KafkaStream kafka;
  kafka.set_brokers(text.substr(0, slash));
  kafka.set_topic(text.substr(slash + 1));
  for (const std::string& property : properties) {
    const size_t equals = property.find('=');
    if (equals == std::string::npos || equals == 0) {
      return InvalidArgumentError("--kafka_property=" + property +
                                  ": expected NAME=VALUE, such as security.protocol=ssl");
    }
    ClientProperty& added = *kafka.add_properties();
    added.set_name(property.substr(0, equals));
    added.set_value(property.substr(equals + 1));
  }
  return kafka;
}

}  // namespace antiphon
