#include "stream/redis_client.h"

#include <cstdlib>
#include <utility>

#include <hiredis/hiredis.h>

#include "common/base/text.h"

namespace antiphon {
namespace {

constexpr Duration kConnectPatience = std::chrono::milliseconds(500);
constexpr Duration kAnswerPatience = std::chrono::seconds(2);

timeval TimevalOf(Duration duration) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
  return {.tv_sec = us / 1'000'000, .tv_usec = us % 1'000'000};
}

// The command and its key, for messages; keys may be binary and values long.
std::string NameOf(const RedisClient::Command& command) {
  constexpr size_t kMostBytes = 120;
  constexpr char kDigits[] = "0123456789abcdef";
  std::string name = command[0];
  if (command.size() < 2 || command[0] == "EXEC") {
    return name;
  }
  name += " ";
  for (const char c : command[1].substr(0, kMostBytes)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > ' ' && byte < 0x7f) {
      name += c;
    } else {
      name += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return name;
}

}  // namespace

bool RedisValue::is_nil() const {
  return reply_ == nullptr || reply_->type == REDIS_REPLY_NIL;
}

bool RedisValue::is_error() const {
  return reply_ != nullptr && reply_->type == REDIS_REPLY_ERROR;
}

size_t RedisValue::size() const {
  return reply_ != nullptr && reply_->type == REDIS_REPLY_ARRAY ? reply_->elements : 0;
}

RedisValue RedisValue::operator[](size_t i) const {
  return RedisValue(i < size() ? reply_->element[i] : nullptr);
}

std::string_view RedisValue::text() const {
  const bool is_text = reply_ != nullptr &&
                       (reply_->type == REDIS_REPLY_STRING || reply_->type == REDIS_REPLY_STATUS ||
                        reply_->type == REDIS_REPLY_ERROR);
  return is_text ? std::string_view(reply_->str, static_cast<size_t>(reply_->len))
                 : std::string_view();
}

int64_t RedisValue::integer() const {
  return reply_ != nullptr && reply_->type == REDIS_REPLY_INTEGER ? reply_->integer : 0;
}

RedisValue RedisValue::Find(std::string_view name) const {
  for (size_t i = 0; i + 1 < size(); i += 2) {
    if ((*this)[i].text() == name) {
      return (*this)[i + 1];
    }
  }
  return RedisValue(nullptr);
}

void RedisReply::Deleter::operator()(redisReply* reply) const {
  freeReplyObject(reply);
}

void RedisClient::Deleter::operator()(redisContext* context) const {
  redisFree(context);
}

RedisClient::~RedisClient() = default;

StatusOr<std::unique_ptr<RedisClient>> RedisClient::Create(const RedisStream& config,
                                                           int database) {
  const std::string& address = config.address();
  const size_t colon = address.rfind(':');
  const std::optional<uint64_t> port =
      colon == std::string::npos ? std::nullopt : ParseUint(address.substr(colon + 1));
  if (!port.has_value() || *port < 1 || *port > 65535 || colon == 0) {
    return InvalidArgumentError("data_config.stream.redis.address: got \"" + address +
                                "\", expected host:port");
  }
  std::string password;
  if (!config.password_env().empty()) {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody sets the environment
    const char* value = std::getenv(config.password_env().c_str());
    if (value == nullptr) {
      return InvalidArgumentError("data_config.stream.redis.password_env: the environment has no " +
                                  config.password_env());
    }
    password = value;
  }
  return std::unique_ptr<RedisClient>(new RedisClient(
      address.substr(0, colon), static_cast<int>(*port), std::move(password), database));
}

Status RedisClient::Broken(const std::string& what) {
  context_.reset();
  return UnavailableError(what);
}

Status RedisClient::Connect() {
  if (context_ != nullptr) {
    return Status();
  }
  context_.reset(redisConnectWithTimeout(host_.c_str(), port_, TimevalOf(kConnectPatience)));
  if (context_ == nullptr || context_->err != 0) {
    return Broken(context_ == nullptr ? "out of memory" : context_->errstr);
  }
  redisSetTimeout(context_.get(), TimevalOf(kAnswerPatience));
  if (!password_.empty()) {
    redisAppendCommand(context_.get(), "AUTH %b", password_.data(), password_.size());
    AP_RETURN_IF_ERROR(Receive().status());
  }
  if (database_ != 0) {
    redisAppendCommand(context_.get(), "SELECT %d", database_);
    AP_RETURN_IF_ERROR(Receive().status());
  }
  return Status();
}

StatusOr<RedisReply> RedisClient::Receive() {
  void* received = nullptr;
  if (redisGetReply(context_.get(), &received) != REDIS_OK || received == nullptr) {
    return Broken(context_->errstr);
  }
  RedisReply reply(static_cast<redisReply*>(received));
  if (static_cast<redisReply*>(received)->type != REDIS_REPLY_ERROR) {
    return reply;
  }
  const std::string text(reply.value().text());
  for (const std::string_view passing : {"LOADING", "BUSY", "TRYAGAIN", "MASTERDOWN"}) {
    if (text.starts_with(passing)) {
      return Broken(text);
    }
  }
  context_.reset();  // replies to other commands may be under way
  return FailedPreconditionError("Redis at " + host_ + ":" + std::to_string(port_) +
                                 " refuses: " + text);
}

StatusOr<std::vector<RedisReply>> RedisClient::Call(std::span<const Command> commands,
                                                    Duration patience) {
  AP_RETURN_IF_ERROR(Connect());
  redisSetTimeout(context_.get(), TimevalOf(patience + kAnswerPatience));
  for (const Command& command : commands) {
    std::vector<const char*> texts;
    std::vector<size_t> sizes;
    for (const std::string& argument : command) {
      texts.push_back(argument.data());
      sizes.push_back(argument.size());
    }
    redisAppendCommandArgv(context_.get(), static_cast<int>(texts.size()), texts.data(),
                           sizes.data());
  }
  std::vector<RedisReply> replies;
  for (size_t i = 0; i < commands.size(); ++i) {
    StatusOr<RedisReply> reply = Receive();
    if (reply.status().code() == StatusCode::kFailedPrecondition) {
      return reply.status().WithContext(NameOf(commands[i]));
    }
    AP_RETURN_IF_ERROR(reply.status());
    replies.push_back(*std::move(reply));
  }
  return replies;
}

StatusOr<RedisReply> RedisClient::Call(const Command& command) {
  AP_ASSIGN_OR_RETURN(std::vector<RedisReply> replies, Call({&command, 1}, Duration::zero()));
  return std::move(replies.front());
}

}  // namespace antiphon
