#include "serving/live_model.h"

#include <algorithm>
#include <span>
#include <utility>

#include "serving/freshness.h"
#include "serving/version_directory.h"

namespace antiphon {

std::string_view FaultName(StatusCode code) {
  switch (code) {
    case StatusCode::kInvalidArgument:
      return "wrong_model";
    case StatusCode::kAlreadyExists:
      return "duplicate";
    case StatusCode::kStaleEpoch:
      return "stale";
    case StatusCode::kNotFound:
      return "missing";
    case StatusCode::kOutOfRange:
      return "out_of_order";
    case StatusCode::kDataLoss:
      return "torn";
    default:
      return "other";
  }
}

StatusOr<std::unique_ptr<LiveModel>> LiveModel::Open(const LiveModelOptions& options,
                                                     FileSystem& fs, Clock& clock) {
  std::unique_ptr<LiveModel> live(new LiveModel(options, fs, clock));
  live->follows_ = fs.Exists(options.folder + "/" + kCurrentFile);
  AP_ASSIGN_OR_RETURN(std::string current, live->Current());
  AP_ASSIGN_OR_RETURN(std::unique_ptr<ServedModel> model, ServedModel::Open(options.folder));
  if (options.accept != nullptr) {
    AP_RETURN_IF_ERROR(options.accept(*model).WithContext(model->folder()));
  }
  {
    MutexLock lock(live->refreshing_);
    live->current_ = std::move(current);
  }
  {
    MutexLock lock(live->mu_);
    live->Describe(*model, clock.WallMs());
  }
  live->newest_ = std::make_unique<LivePointer<ServedModel>>(std::move(model));
  return live;
}

StatusOr<std::string> LiveModel::Current() const {
  return follows_ ? ReadCurrent(fs_, options_.folder) : options_.folder;
}

StatusOr<bool> LiveModel::Refresh() {
  MutexLock lock(refreshing_);
  newest_->LetGo();
  StatusOr<bool> moved = false;
  std::string seen;
  while (true) {
    const StatusOr<std::string> current = Current();
    if (current.ok() && *current == seen) {
      break;  // and what it says did not work
    }
    moved = current.ok() ? MoveTo(*current) : StatusOr<bool>(current.status());
    if (moved.ok() || !current.ok()) {
      break;
    }
    // What was read may have gone meanwhile because there is something newer.
    seen = *current;
  }
  MutexLock report_lock(mu_);
  report_.failing = !moved.ok();
  if (!moved.ok()) {
    ++report_.failures[std::string(FaultName(moved.status().code()))];
    report_.last_error = moved.status().message();
  }
  return moved;
}

StatusOr<bool> LiveModel::MoveTo(const std::string& current) {
  if (current == current_) {
    return false;
  }
  const std::shared_ptr<const ServedModel> held = newest_->newest();
  AP_ASSIGN_OR_RETURN(const VersionChain chain, ReadNews(held->link(), current));
  AP_ASSIGN_OR_RETURN(std::unique_ptr<ServedModel> model, Make(*held, chain));
  if (model == nullptr) {
    current_ = current;
    return false;
  }
  if (options_.accept != nullptr) {
    AP_RETURN_IF_ERROR(options_.accept(*model).WithContext(model->folder()));
  }
  const int64_t visible_ms = clock_.WallMs();
  AgeHistogram freshness;
  for (const VersionLink& link : chain) {
    if (link.signature.version() > held->signature().version()) {
      const StatusOr<AgeHistogram> of_link = FreshnessOf(link.signature, visible_ms);
      if (!of_link.ok()) {
        return DataLossError(link.folder + ": " + of_link.status().message());
      }
      freshness.Merge(*of_link);
    }
  }
  {
    MutexLock lock(mu_);
    Describe(*model, visible_ms);
    report_.last_freshness = freshness;
    report_.freshness.Merge(freshness);
  }
  newest_->Publish(std::move(model));
  current_ = current;
  return true;
}

// Mostly it is one step, and its signature is all that has to be read.
StatusOr<VersionChain> LiveModel::ReadNews(const VersionLink& held,
                                           const std::string& current) const {
  AP_ASSIGN_OR_RETURN(VersionLink last, ReadVersionLink(fs_, options_.folder + "/" + current));
  if (last.signature.has_step() && last.signature.step().predecessor_digest() == held.digest) {
    return VersionChain{held, std::move(last)};
  }
  return ReadCurrentChain(fs_, options_.folder);
}

StatusOr<std::unique_ptr<ServedModel>> LiveModel::Make(const ServedModel& held,
                                                       const VersionChain& chain) {
  const VersionLink& last = chain.back();
  const VersionLink& served = held.link();
  if (last.signature.model_id() != served.signature.model_id()) {
    return InvalidArgumentError(last.folder + ": it is of model " + last.signature.model_id() +
                                ", served is model " + served.signature.model_id());
  }
  if (last.digest == served.digest) {
    return std::unique_ptr<ServedModel>();
  }
  if (last.signature.version() < served.signature.version()) {
    return StaleEpochError(last.folder + ": version " + std::to_string(last.signature.version()) +
                           " is stale, version " + std::to_string(served.signature.version()) +
                           " is served; start anew to go back");
  }
  const auto here = std::ranges::find(chain, served.digest, &VersionLink::digest);
  if (here == chain.end()) {
    return ServedModel::OpenChain(chain);
  }
  return held.Advance(std::span(chain).subspan(static_cast<size_t>(here - chain.begin()) + 1));
}

void LiveModel::Describe(const ServedModel& model, int64_t visible_ms) {
  report_.model_name = model.signature().model_name();
  report_.model_id = model.signature().model_id();
  report_.version = model.signature().version();
  report_.base = BaseOf(model.signature());
  report_.sequence = SequenceOf(model.signature());
  report_.rows = model.rows();
  report_.cut_ms = CutMs(model.signature());
  report_.visible_ms = visible_ms;
  ++report_.versions;
}

LiveReport LiveModel::Report() const {
  MutexLock lock(mu_);
  return report_;
}

}  // namespace antiphon
