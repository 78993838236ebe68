#include "common/base/exit_code.h"

namespace antiphon {

ExitCode ExitCodeFor(const Status& status) {
  switch (status.code()) {
    case StatusCode::kOk:
      return ExitCode::kOk;
    case StatusCode::kInvalidArgument:
      return ExitCode::kUsage;
    case StatusCode::kNotFound:
    case StatusCode::kOutOfRange:
    case StatusCode::kDataLoss:
    case StatusCode::kUnimplemented:
      return ExitCode::kBadData;
    case StatusCode::kUnavailable:
    case StatusCode::kDeadlineExceeded:
    case StatusCode::kCancelled:
      return ExitCode::kUnavailable;
    case StatusCode::kAlreadyExists:
      return ExitCode::kCannotCreate;
    case StatusCode::kResourceExhausted:
      return ExitCode::kIo;
    case StatusCode::kPermissionDenied:
      return ExitCode::kPermission;
    case StatusCode::kFailedPrecondition:
      return ExitCode::kConfig;
    case StatusCode::kInternal:
    case StatusCode::kStaleEpoch:
    case StatusCode::kWrongShard:
    case StatusCode::kPositionGap:
    case StatusCode::kUnknownHandle:
      return ExitCode::kBug;
  }
  return ExitCode::kBug;
}

}  // namespace antiphon
