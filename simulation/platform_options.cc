#include "simulation/platform_options.h"

#include <string>

namespace antiphon {
namespace {

Status CheckRange(const char* name, int64_t value, int64_t least, int64_t most) {
  if (value >= least && value <= most) {
    return Status();
  }
  return InvalidArgumentError(std::string(name) + " is " + std::to_string(value) +
                              ", expected a number from " + std::to_string(least) + " to " +
                              std::to_string(most));
}

}  // namespace

Status CheckPlatformOptions(const PlatformOptions& options) {
  AP_RETURN_IF_ERROR(CheckRange("days", options.days, 1, 366));
  AP_RETURN_IF_ERROR(CheckRange("begin_ms", options.begin_ms, 0, kLatestBeginMs));
  AP_RETURN_IF_ERROR(CheckRange("users", options.users, 3, 50'000'000));
  // With fewer hosts than this there are hours when nobody is on air.
  AP_RETURN_IF_ERROR(CheckRange("hosts", options.hosts, 50, 1'000'000));
  AP_RETURN_IF_ERROR(CheckRange("avatars", options.avatars, 1, 64));
  AP_RETURN_IF_ERROR(CheckRange("texts", options.texts, 1, 64));
  if (!(options.harmony >= 0 && options.harmony <= 2)) {
    return InvalidArgumentError("harmony is " + std::to_string(options.harmony) +
                                ", expected a number from 0 to 2");
  }
  if (!(options.drift >= 0 && options.drift <= 20)) {
    return InvalidArgumentError("drift is " + std::to_string(options.drift) +
                                ", expected a number from 0 to 20");
  }
  if (!(options.kinship >= -1 && options.kinship <= 1)) {
    return InvalidArgumentError("kinship is " + std::to_string(options.kinship) +
                                ", expected a number from -1 to 1");
  }
  if (!(options.character >= 0 && options.character <= 5)) {
    return InvalidArgumentError("character is " + std::to_string(options.character) +
                                ", expected a number from 0 to 5");
  }
  if (!(options.lifetime_days >= 0 && options.lifetime_days <= 366)) {
    return InvalidArgumentError("lifetime_days is " + std::to_string(options.lifetime_days) +
                                ", expected a number from 0 to 366");
  }
  return Status();
}

}  // namespace antiphon
