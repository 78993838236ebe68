// Platform: a live-streaming platform whose truth is known.
//
// It answers one question: what happened in request r of a stream? Every answer is a pure function
// of the options, the stream and r, so requests can be drawn in any order, from any thread, again.
// Frozen after construction.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "common/base/status.h"
#include "simulation/air_schedule.h"
#include "simulation/calendar.h"
#include "simulation/hosts.h"
#include "simulation/impression.h"
#include "simulation/platform_options.h"
#include "simulation/truth.h"
#include "simulation/users.h"

namespace antiphon {

// Requests in time order, spread evenly over the traffic of a part of the period. Streams with
// different first ids are independent of each other.
struct RequestStream {
  uint64_t first_request_id = 0;
  int64_t requests = 0;
  double begin = 0;  // progress of the period, begin < end <= 1
  double end = 1;
};

class Platform {
 public:
  static StatusOr<std::unique_ptr<Platform>> Create(const PlatformOptions& options);

  // Puts the kImpressionsPerRequest impressions of request `index` into `impressions`, top first.
  void DrawRequest(const RequestStream& stream, int64_t index,
                   std::vector<Impression>& impressions) const;

  const PlatformOptions& options() const { return options_; }
  const Users& users() const { return users_; }
  const std::vector<Host>& hosts() const { return hosts_; }
  const AirSchedule& schedule() const { return schedule_; }
  const Calendar& calendar() const { return calendar_; }
  const Truth& truth() const { return truth_; }

 private:
  explicit Platform(const PlatformOptions& options);

  // A host for the next place of a request; not one that is already in it if others are on air.
  const Host& DrawHost(int slot, std::span<const Impression> above, Rng& rng) const;
  void CalibrateTruth();

  PlatformOptions options_;
  Culture culture_;
  Calendar calendar_;
  Users users_;
  std::vector<Host> hosts_;
  AirSchedule schedule_;
  Truth truth_;
};

}  // namespace antiphon
