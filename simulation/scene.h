// Scene: where on the platform a host is shown. The names are those of the CSV column `scene`.
#pragma once

#include <array>
#include <string_view>

namespace antiphon {

enum class Scene { kSongPage = 0, kHome = 1, kLiveTab = 2, kPlaylist = 3 };

inline constexpr int kSceneCount = 4;

inline constexpr std::array<Scene, kSceneCount> kScenes = {Scene::kSongPage, Scene::kHome,
                                                           Scene::kLiveTab, Scene::kPlaylist};

// "song_page", "home", "live_tab" or "playlist".
std::string_view SceneName(Scene scene);

// The share of the period after which the scene exists: 0, but one half for the playlist.
double SceneOpensAt(Scene scene);

// How much of the traffic the scene gets, as a weight among the scenes that are open.
double SceneTraffic(Scene scene);

// The scene of a request that comes when `progress` of the period is over; `uniform` is a draw
// from [0, 1). A scene that is not open yet is never returned.
Scene PickScene(double progress, double uniform);

}  // namespace antiphon
