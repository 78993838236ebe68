// Where a sink is, as command lines say it. Pure functions.
#pragma once

#include <span>
#include <string>

#include "common/base/status.h"
#include "proto/stream.pb.h"

namespace antiphon {

struct RedisAddress {
  RedisStream server;  // address and password_env
  int database = 0;
};

// "HOST:PORT" or "HOST:PORT/DATABASE". The password is in the environment variable `password_env`;
// empty: there is none.
StatusOr<RedisAddress> ParseRedisAddress(const std::string& text, const std::string& password_env);

// "redis HOST:PORT/DATABASE", for people.
std::string RedisName(const RedisAddress& address);

// "HOST:PORT[,HOST:PORT...]/TOPIC" and properties of librdkafka, each "name=value".
StatusOr<KafkaStream> ParseKafkaAddress(const std::string& text,
                                        std::span<const std::string> properties);

}  // namespace antiphon
