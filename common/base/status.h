// Status and StatusOr<T>: how a function says that the world failed.
//
// A Status is a code and a message. The message says what went wrong, where, and what to do; each
// layer adds with `WithContext` what only it knows. Broken invariants of our own are CHECKs, never
// a Status. Both types are values: copy and move them freely, on any thread.
#pragma once

#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/logging.h"

namespace antiphon {

// The numbers travel on the wire: add at the end, never reuse one.
enum class StatusCode : int {
  kOk = 0,
  kInvalidArgument = 1,     // the caller's bytes, flags or job file are wrong
  kNotFound = 2,            // no such file, table, key, node
  kAlreadyExists = 3,       // a second one of something that is unique
  kFailedPrecondition = 4,  // right request, wrong state
  kOutOfRange = 5,          // a position or an index past its end
  kResourceExhausted = 6,   // a queue, a budget or a limit is full
  kUnavailable = 7,         // the peer or the disk does not answer; try again
  kDeadlineExceeded = 8,    // it may have happened, but not in time
  kDataLoss = 9,            // a checksum, a length or a magic does not match
  kUnimplemented = 10,      // a method or format of another version
  kInternal = 11,           // a bug that was contained
  kPermissionDenied = 12,   // the operating system or the peer's role forbids it
  kCancelled = 13,          // the caller or a shutdown gave it up
  kStaleEpoch = 14,         // the sender's lease, incarnation or shard map is no longer valid
  kWrongShard = 15,         // this lane does not own the key
  kPositionGap = 16,        // a push begins past what the lane has applied
  kUnknownHandle = 17,      // the lane no longer remembers the pull that a push answers
};

// The enumerator's name without its k, such as "InvalidArgument".
std::string_view StatusCodeName(StatusCode code);

// The code with this number; kInternal for a number that no peer of this version sends.
StatusCode StatusCodeFromInt(int number);

class [[nodiscard]] Status {
 public:
  Status() = default;  // success
  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {}

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  const std::string& message() const { return message_; }

  // The same status with `context: ` before its message. Success stays success.
  Status WithContext(std::string_view context) const;

  // "Unavailable: server 2 does not answer", or "Ok".
  std::string ToString() const;

  // For the few callers that have nothing better to do than to go on.
  void IgnoreError() const {}

  friend bool operator==(const Status&, const Status&) = default;

 private:
  StatusCode code_ = StatusCode::kOk;
  std::string message_;
};

std::ostream& operator<<(std::ostream& out, const Status& status);

Status InvalidArgumentError(std::string message);
Status NotFoundError(std::string message);
Status AlreadyExistsError(std::string message);
Status FailedPreconditionError(std::string message);
Status OutOfRangeError(std::string message);
Status ResourceExhaustedError(std::string message);
Status UnavailableError(std::string message);
Status DeadlineExceededError(std::string message);
Status DataLossError(std::string message);
Status UnimplementedError(std::string message);
Status InternalError(std::string message);
Status PermissionDeniedError(std::string message);
Status CancelledError(std::string message);
Status StaleEpochError(std::string message);

// A value, or the reason why there is none.
template <typename T>
class [[nodiscard]] StatusOr {
 public:
  StatusOr(T value) : value_(std::move(value)) {}         // NOLINT(google-explicit-constructor)
  StatusOr(Status status) : status_(std::move(status)) {  // NOLINT(google-explicit-constructor)
    CHECK(!status_.ok()) << "a StatusOr without a value needs an error";
  }

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }

  // Only after ok(); anything else is a bug of the caller.
  T& value() & {
    CHECK(ok()) << status_;
    return *value_;
  }
  const T& value() const& {
    CHECK(ok()) << status_;
    return *value_;
  }
  T&& value() && {
    CHECK(ok()) << status_;
    return std::move(*value_);
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace antiphon

// Returns the status from the enclosing function when it is an error.
#define AP_RETURN_IF_ERROR(expression)            \
  do {                                            \
    ::antiphon::Status ap_status_ = (expression); \
    if (!ap_status_.ok()) {                       \
      return ap_status_;                          \
    }                                             \
  } while (false)

// AP_ASSIGN_OR_RETURN(const Manifest manifest, ReadManifest(dir));
#define AP_ASSIGN_OR_RETURN(declaration, expression) \
  AP_ASSIGN_OR_RETURN_IMPL_(AP_CONCAT_(ap_status_or_, __LINE__), declaration, expression)
#define AP_ASSIGN_OR_RETURN_IMPL_(holder, declaration, expression) \
  auto holder = (expression);                                      \
  if (!holder.ok()) {                                              \
    return holder.status();                                        \
  }                                                                \
  declaration = std::move(holder).value()
#define AP_CONCAT_(left, right) AP_CONCAT_INNER_(left, right)
#define AP_CONCAT_INNER_(left, right) left##right
