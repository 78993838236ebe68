#include "simulation/scene.h"

namespace antiphon {
namespace {

struct SceneFacts {
  std::string_view name;
  double opens_at;
  double traffic;
};

constexpr std::array<SceneFacts, kSceneCount> kFacts = {{
    {"song_page", 0.0, 0.27},
    {"home", 0.0, 0.36},
    {"live_tab", 0.0, 0.22},
    {"playlist", 0.5, 0.15},
}};

const SceneFacts& FactsOf(Scene scene) {
  return kFacts.at(static_cast<size_t>(scene));
}

}  // namespace

std::string_view SceneName(Scene scene) {
  return FactsOf(scene).name;
}

double SceneOpensAt(Scene scene) {
  return FactsOf(scene).opens_at;
}

double SceneTraffic(Scene scene) {
  return FactsOf(scene).traffic;
}

Scene PickScene(double progress, double uniform) {
  double open = 0;
  for (const SceneFacts& facts : kFacts) {
    open += progress >= facts.opens_at ? facts.traffic : 0;
  }
  double rest = uniform * open;
  Scene last_open = Scene::kSongPage;
  for (const Scene scene : kScenes) {
    if (progress < SceneOpensAt(scene)) {
      continue;
    }
    last_open = scene;
    rest -= SceneTraffic(scene);
    if (rest < 0) {
      break;
    }
  }
  return last_open;
}

}  // namespace antiphon
