// RedisClient: hiredis as values and Statuses; nobody else includes its header.
//
// Connects when it is first used and again when the connection broke. Owned by one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "proto/stream.pb.h"

struct redisContext;
struct redisReply;

namespace antiphon {

// A reply of the server, or a part of one; valid as long as the whole is.
class RedisValue {
 public:
  explicit RedisValue(const redisReply* reply) : reply_(reply) {}

  bool is_nil() const;
  bool is_error() const;  // of a command in a transaction; text() says which
  size_t size() const;    // of an array; 0: it is none
  RedisValue operator[](size_t i) const;
  std::string_view text() const;  // empty: it is no text
  int64_t integer() const;        // 0: it is no number
  // Of an array of names and values, as XINFO gives: the value behind the name. Nil when absent.
  RedisValue Find(std::string_view name) const;

 private:
  const redisReply* reply_;  // null: nil
};

class RedisReply {
 public:
  RedisReply() = default;
  explicit RedisReply(redisReply* reply) : reply_(reply) {}
  RedisValue value() const { return RedisValue(reply_.get()); }

 private:
  struct Deleter {
    void operator()(redisReply* reply) const;
  };
  std::unique_ptr<redisReply, Deleter> reply_;
};

class RedisClient {
 public:
  // kInvalidArgument: the address is not host:port, or the password's variable is not set.
  static StatusOr<std::unique_ptr<RedisClient>> Create(const RedisStream& config, int database = 0);
  ~RedisClient();

  using Command = std::vector<std::string>;

  // Sends the commands together and returns their replies. `patience` is how long the server may
  // hold back, besides the time to answer. kUnavailable: it does not answer, or is still loading.
  // kFailedPrecondition: it refuses a command; the message has its name and its key. After an error
  // the connection is gone, and with it what it watched.
  StatusOr<std::vector<RedisReply>> Call(std::span<const Command> commands, Duration patience);
  StatusOr<RedisReply> Call(const Command& command);

 private:
  struct Deleter {
    void operator()(redisContext* context) const;
  };

  RedisClient(std::string host, int port, std::string password, int database)
      : host_(std::move(host)), port_(port), password_(std::move(password)), database_(database) {}

  Status Connect();
  StatusOr<RedisReply> Receive();
  Status Broken(const std::string& what);

  const std::string host_;
  const int port_;
  const std::string password_;
  const int database_;
  std::unique_ptr<redisContext, Deleter> context_;
};

}  // namespace antiphon
