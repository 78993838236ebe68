#include "stream/kafka_properties.h"

#include <cstdlib>
#include <string_view>

namespace antiphon {
namespace {

constexpr std::string_view kFromEnvironment = "env:";

bool IsSecret(std::string_view name) {
  return name.ends_with("password") || name.ends_with("secret") || name == "ssl.key.pem";
}

}  // namespace

StatusOr<std::string> ValueOf(const ClientProperty& property) {
  const std::string place = "data_config.stream.kafka: property " + property.name();
  if (property.value().starts_with(kFromEnvironment)) {
    const std::string name = property.value().substr(kFromEnvironment.size());
    // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody sets the environment
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) {
      return InvalidArgumentError(place + ": the environment has no " + name);
    }
    return std::string(value);
  }
  if (IsSecret(property.name())) {
    return InvalidArgumentError(
        place +
        " is a secret, and a job file is printed and kept in every snapshot; put it into an "
        "environment variable of the workers and write value: \"env:NAME\"");
  }
  return property.value();
}

}  // namespace antiphon
