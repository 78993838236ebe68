// The follower of serving.h: a LiveModel, and of each of its models the Version that callers see.
#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "common/base/clock.h"
#include "common/base/file_system.h"
#include "common/base/mutex.h"
#include "serving/library/serving.h"
#include "serving/library/version_inside.h"
#include "serving/live_model.h"
#include "serving/live_pointer.h"
#include "serving/model_refresh.h"

namespace antiphon::serving {

struct Follower::Inside {
  PosixFileSystem fs;
  SystemClock clock;
  std::unique_ptr<LiveModel> live;
  Mutex mu;  // held while a model becomes a version
  std::shared_ptr<const ModelFace> face AP_GUARDED_BY(mu);
  const TrainingPlan* plan AP_GUARDED_BY(mu) = nullptr;  // that `face` is of
  std::unique_ptr<LivePointer<Version>> versions;        // set once, by Open
  std::unique_ptr<ModelRefresh> refresh;                 // last: it uses the others

  std::shared_ptr<const Version> MakeVersion(std::shared_ptr<const ServedModel> model)
      AP_REQUIRES(mu);
  // Has callers see the newest model, where they do not yet.
  void Publish() AP_EXCLUDES(mu);
};

std::shared_ptr<const Version> Follower::Inside::MakeVersion(
    std::shared_ptr<const ServedModel> model) {
  if (plan != &model->plan()) {
    // LiveModel has asked for the same before it served the model.
    face = std::make_shared<const ModelFace>(MakeFace(*model).value());
    plan = &model->plan();
  }
  auto inside = std::make_unique<Version::Inside>();
  inside->model = std::move(model);
  inside->face = face;
  return std::shared_ptr<const Version>(new Version(std::move(inside)));
}

void Follower::Inside::Publish() {
  MutexLock lock(mu);
  std::shared_ptr<const ServedModel> model = live->newest().newest();
  if (versions == nullptr) {
    versions = std::make_unique<LivePointer<Version>>(MakeVersion(std::move(model)));
  } else if (versions->newest()->inside_->model != model) {
    versions->Publish(MakeVersion(std::move(model)));
  } else {
    versions->LetGo();
  }
}

Follower::Follower(std::unique_ptr<Inside> inside) : inside_(std::move(inside)) {}
Follower::~Follower() = default;

std::unique_ptr<Follower> Follower::Open(const std::string& directory, int refresh_ms,
                                         std::string* error) {
  auto inside = std::make_unique<Inside>();
  const LiveModelOptions options = {.folder = directory, .accept = [](const ServedModel& model) {
                                      return MakeFace(model).status();
                                    }};
  StatusOr<std::unique_ptr<LiveModel>> live = LiveModel::Open(options, inside->fs, inside->clock);
  if (!live.ok()) {
    Put(live.status(), error);
    return nullptr;
  }
  inside->live = *std::move(live);
  inside->Publish();
  if (refresh_ms > 0) {
    Inside* all = inside.get();
    inside->refresh =
        std::make_unique<ModelRefresh>(*inside->live, std::chrono::milliseconds(refresh_ms),
                                       [all](const StatusOr<bool>&) { all->Publish(); });
  }
  return std::unique_ptr<Follower>(new Follower(std::move(inside)));
}

std::shared_ptr<const Version> Follower::current() const {
  return inside_->versions->newest();
}

bool Follower::Refresh(std::string* error) {
  const Status status = inside_->live->Refresh().status();
  inside_->Publish();
  if (!status.ok()) {
    Put(status, error);
  }
  return status.ok();
}

uint64_t Follower::failures() const {
  uint64_t failures = 0;
  for (const auto& [fault, count] : inside_->live->Report().failures) {
    failures += count;
  }
  return failures;
}

std::string Follower::last_error() const {
  return inside_->live->Report().last_error;
}

double Follower::freshness_seconds(double q) const {
  constexpr double kMsPerSecond = 1000;
  return inside_->live->Report().freshness.Quantile(q) / kMsPerSecond;
}

struct Reader::Inside {
  LivePointer<Version>::Reader reader;
};

Reader::Reader(const Follower& follower)
    : inside_(std::make_unique<Inside>(
          Inside{.reader = LivePointer<Version>::Reader(*follower.inside_->versions)})) {}
Reader::~Reader() = default;

const std::shared_ptr<const Version>& Reader::current() {
  return inside_->reader.Get();
}

}  // namespace antiphon::serving
