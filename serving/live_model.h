// LiveModel: the model of a directory of versions, kept as new as what the directory calls current.
//
// A step is applied beside the model that is served, a new version with all rows is opened beside
// it, and then one pointer changes: whoever scores goes on with the model that it began with, and a
// version that cannot be served changes nothing but a count. A folder that is a version itself
// never changes.
// Guarded: any thread may call it; readers take no lock while nothing is new (LivePointer).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/file_system.h"
#include "common/base/mutex.h"
#include "common/base/status.h"
#include "common/math/age_histogram.h"
#include "serving/live_pointer.h"
#include "serving/served_model.h"

namespace antiphon {

struct LiveModelOptions {
  std::string folder;  // a version, or a directory of versions
  // Asked of every model before it is served; an error keeps the one that is.
  std::function<Status(const ServedModel&)> accept = nullptr;
};

// What is served and how it came, for people and monitors.
struct LiveReport {
  std::string model_name;
  std::string model_id;
  uint64_t version = 0;
  uint64_t base = 0;      // the version with all rows that it grows from, or itself
  uint64_t sequence = 0;  // of steps behind that
  uint64_t rows = 0;
  int64_t cut_ms = 0;      // when the snapshot of the version was taken
  int64_t visible_ms = 0;  // since when it is served; both wall time since 1970
  uint64_t versions = 0;   // served since the start, the first included
  std::map<std::string, uint64_t, std::less<>> failures;  // by FaultName
  bool failing = false;                                   // the newest refresh was in vain
  std::string last_error;  // of the last refresh that was; empty: none ever was
  // From a sample's event to when it was served: of the last version, and of all since the start
  // but the first, which was there before.
  AgeHistogram last_freshness;
  AgeHistogram freshness;
};

// What a status of Refresh is called where faults are counted: wrong_model, duplicate, stale,
// missing, out_of_order, torn, other.
std::string_view FaultName(StatusCode code);

class LiveModel {
 public:
  // Opens what is current. `fs` and `clock` outlive the model. Errors as those of
  // ServedModel::Open.
  static StatusOr<std::unique_ptr<LiveModel>> Open(const LiveModelOptions& options, FileSystem& fs,
                                                   Clock& clock);

  // Serves what is current from now on. True: it was something new. Errors are counted, and what is
  // served stays; the next refresh tries again. The codes of CheckFollows, of which kStaleEpoch
  // stands also for a version from before the one that is served, or those of ServedModel::Open.
  StatusOr<bool> Refresh() AP_EXCLUDES(refreshing_, mu_);

  const LivePointer<ServedModel>& newest() const { return *newest_; }
  LiveReport Report() const AP_EXCLUDES(mu_);

 private:
  LiveModel(const LiveModelOptions& options, FileSystem& fs, Clock& clock)
      : options_(options), fs_(fs), clock_(clock) {}

  // What the directory calls current; the folder itself where it is a version.
  StatusOr<std::string> Current() const;
  StatusOr<bool> MoveTo(const std::string& current) AP_REQUIRES(refreshing_);
  // The chain that ends with `current`, as much of it as matters to who has `held`.
  StatusOr<VersionChain> ReadNews(const VersionLink& held, const std::string& current) const;
  // The model at the end of a chain, made from the one that is served where that is possible. Null:
  // that is the one which is served.
  static StatusOr<std::unique_ptr<ServedModel>> Make(const ServedModel& held,
                                                     const VersionChain& chain);
  void Describe(const ServedModel& model, int64_t visible_ms) AP_REQUIRES(mu_);

  const LiveModelOptions options_;
  FileSystem& fs_;
  Clock& clock_;
  bool follows_ = false;  // set once, at the start
  std::unique_ptr<LivePointer<ServedModel>> newest_;

  Mutex refreshing_;                                // one refresh at a time
  std::string current_ AP_GUARDED_BY(refreshing_);  // what the directory said of what is served

  mutable Mutex mu_;
  LiveReport report_ AP_GUARDED_BY(mu_);
};

}  // namespace antiphon
