// SampleSet: the files of labelled samples that a simulated platform leaves behind.
//
//   train-00000.csv, train-00001.csv, ...  in time order over the whole period
//   eval.csv                               held out, from the last fifth of the period
//   requests.csv, avatars.csv, texts.csv   with `requests`: whom and which hosts a model is asked
//                                          about, and what every host may be shown with
//   truth.json                             what the true probabilities score on eval.csv
//
// Held-out samples lie between training samples in time, so that they ask what was learnt about
// the platform as it is at the end, with all its scenes, and not how well the future is guessed;
// they are other requests, and no sample is in both. Every file is written under a temporary name
// first, truth.json last: where it exists, everything else is whole.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "common/base/file_system.h"
#include "common/base/status.h"
#include "simulation/platform.h"

namespace antiphon {

enum class Compression { kNone, kZstd };

struct SampleSetOptions {
  std::string directory;
  int64_t samples = 1'000'000;
  int64_t eval_samples = 160'000;
  int64_t samples_per_file = 131'072;
  int64_t requests = 0;  // that a model may choose triplets for, four hosts each
  Compression compression = Compression::kNone;
};

inline constexpr double kEvalBegin = 0.8;  // progress of the period

// The requests of requests.csv, which lie among the held-out ones and are others.
RequestStream FreshRequests(int64_t requests);
// Request `index` of them: the hosts to choose from, all of them at the top of the page.
void DrawCandidates(const Platform& platform, int64_t requests, int64_t index,
                    std::vector<Impression>& candidates);

// Calls `visit` for the impressions of eval.csv, in its order.
void ForEachHeldOut(const Platform& platform, int64_t samples,
                    const std::function<void(const Impression&)>& visit);

// Fails when the folder has anything in it. Returns the text of truth.json.
StatusOr<std::string> WriteSampleSet(const Platform& platform, const SampleSetOptions& options,
                                     FileSystem& fs);

// Removes what an earlier WriteSampleSet left in `directory`, truth.json first; other files stay
// and make the next WriteSampleSet fail. A folder that does not exist is fine.
Status RemoveSampleSet(const std::string& directory, FileSystem& fs);

}  // namespace antiphon
