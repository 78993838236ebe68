#include "simulation/platform.h"

#include <algorithm>

#include "common/base/hash.h"
#include "common/base/rng.h"

namespace antiphon {
namespace {

constexpr uint64_t kRequestStream = 6;
constexpr uint64_t kCalibrationStream = 7;
constexpr int kCalibrationShowings = 8000;  // per scene: rates are right within a few per cent

}  // namespace

StatusOr<std::unique_ptr<Platform>> Platform::Create(const PlatformOptions& options) {
  AP_RETURN_IF_ERROR(CheckPlatformOptions(options));
  return std::unique_ptr<Platform>(new Platform(options));
}

Platform::Platform(const PlatformOptions& options)
    : options_(options),
      culture_(options.seed),
      calendar_(options.days, options.begin_ms),
      users_(options.users, culture_, options.seed),
      hosts_(MakeHosts(options, culture_)),
      schedule_(hosts_, calendar_, options.seed, options.lifetime_days),
      truth_(options) {
  CalibrateTruth();
}

void Platform::CalibrateTruth() {
  Rng rng(Mix64(options_.seed, kCalibrationStream));
  std::vector<Showing> traffic(kCalibrationShowings);
  for (const Scene scene : kScenes) {
    const double opens_at = SceneOpensAt(scene);
    for (size_t i = 0; i < traffic.size(); ++i) {
      const double progress = opens_at + (1 - opens_at) * rng.Uniform();
      Showing& showing = traffic[i];
      showing.moment = calendar_.At(progress);
      showing.scene = scene;
      showing.user = &users_.Draw(progress, rng);
      showing.host = &hosts_[schedule_.Draw(showing.moment.slot, rng)];
      showing.avatar = static_cast<int>(rng.Below(showing.host->avatars.size()));
      showing.text = static_cast<int>(rng.Below(showing.host->texts.size()));
      showing.position = static_cast<int>(i % kImpressionsPerRequest);
    }
    truth_.Calibrate(scene, traffic);
  }
}

const Host& Platform::DrawHost(int slot, std::span<const Impression> above, Rng& rng) const {
  constexpr int kTries = 16;
  uint32_t host = schedule_.Draw(slot, rng);
  for (int i = 0; i < kTries; ++i) {
    const bool shown = std::any_of(above.begin(), above.end(), [host](const Impression& other) {
      return other.showing.host->id == host;
    });
    if (!shown) {
      break;
    }
    host = schedule_.Draw(slot, rng);
  }
  return hosts_[host];
}

void Platform::DrawRequest(const RequestStream& stream, int64_t index,
                           std::vector<Impression>& impressions) const {
  const uint64_t request_id = stream.first_request_id + static_cast<uint64_t>(index);
  Rng rng(Mix64(Mix64(options_.seed, kRequestStream), request_id));
  const double share =
      (static_cast<double>(index) + rng.Uniform()) / static_cast<double>(stream.requests);
  const double progress = stream.begin + (stream.end - stream.begin) * share;
  Showing showing;
  showing.moment = calendar_.At(progress);
  showing.scene = PickScene(progress, rng.Uniform());
  showing.user = &users_.Draw(progress, rng);

  impressions.clear();
  for (int position = 0; position < kImpressionsPerRequest; ++position) {
    showing.position = position;
    showing.host = &DrawHost(showing.moment.slot, impressions, rng);
    showing.avatar = static_cast<int>(rng.Below(showing.host->avatars.size()));
    showing.text = static_cast<int>(rng.Below(showing.host->texts.size()));
    Impression impression;
    impression.request_id = request_id;
    impression.showing = showing;
    impression.chances = truth_.ChancesOf(showing);
    const bool clicked = rng.Chance(impression.chances.click);
    for (size_t task = 0; task < impression.labels.size(); ++task) {
      // Drawn whether clicked or not, so that what follows does not depend on the outcome.
      const bool happens = rng.Chance(impression.chances.after_click[task]);
      impression.labels[task] = clicked && happens;
    }
    impressions.push_back(impression);
  }
}

}  // namespace antiphon
