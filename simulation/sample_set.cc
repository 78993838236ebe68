#include "simulation/sample_set.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <vector>
#include <zstd.h>

#include "simulation/sample_csv.h"
#include "simulation/score_board.h"
#include "simulation/truth_report.h"

namespace antiphon {
namespace {

constexpr uint64_t kFirstEvalRequest = 1'000'000'000'000;  // far above any training request
constexpr uint64_t kFirstFreshRequest = 2'000'000'000'000;
constexpr int kZstdLevel = 1;

// Calls `visit` for the first `samples` impressions of the stream, in time order.
template <typename Visit>
void ForEachImpression(const Platform& platform, const RequestStream& stream, int64_t samples,
                       Visit visit) {
  std::vector<Impression> impressions;
  for (int64_t request = 0; request < stream.requests; ++request) {
    platform.DrawRequest(stream, request, impressions);
    for (const Impression& impression : impressions) {
      if (samples-- == 0) {
        return;
      }
      visit(impression);
    }
  }
}

RequestStream StreamOf(uint64_t first_request_id, int64_t samples, double begin) {
  return {.first_request_id = first_request_id,
          .requests = (samples + kImpressionsPerRequest - 1) / kImpressionsPerRequest,
          .begin = begin,
          .end = 1};
}

StatusOr<std::string> CompressZstd(const std::string& text) {
  std::string frame(ZSTD_compressBound(text.size()), '\0');
  const size_t size =
      ZSTD_compress(frame.data(), frame.size(), text.data(), text.size(), kZstdLevel);
  if (ZSTD_isError(size) != 0) {
    return InternalError(std::string("zstd: ") + ZSTD_getErrorName(size));
  }
  frame.resize(size);
  return frame;
}

// Collects lines and writes a file each time enough of them are there.
class LineFiles {
 public:
  LineFiles(const Platform& platform, const SampleSetOptions& options, FileSystem& fs)
      : csv_(platform), options_(options), fs_(fs) {
    Begin();
  }

  void Append(const Impression& impression) {
    csv_.Append(impression, text_);
    ++lines_;
  }
  int64_t lines() const { return lines_; }

  // Writes what was collected as `name`.csv and begins anew.
  Status Write(const std::string& name) {
    std::string path = options_.directory + "/" + name + ".csv";
    if (options_.compression == Compression::kZstd) {
      path += ".zst";
      AP_ASSIGN_OR_RETURN(const std::string frame, CompressZstd(text_));
      AP_RETURN_IF_ERROR(WriteFileAtomically(fs_, path, frame));
    } else {
      AP_RETURN_IF_ERROR(WriteFileAtomically(fs_, path, text_));
    }
    Begin();
    return Status();
  }

 private:
  void Begin() {
    text_ = SampleCsv::Header();
    lines_ = 0;
  }

  SampleCsv csv_;
  const SampleSetOptions& options_;
  FileSystem& fs_;
  std::string text_;
  int64_t lines_ = 0;
};

std::string TrainFileName(int number) {
  std::array<char, 32> name{};
  std::snprintf(name.data(), name.size(), "train-%05d", number);
  return name.data();
}

StatusOr<TrainCounts> WriteTrainFiles(const Platform& platform, const SampleSetOptions& options,
                                      FileSystem& fs) {
  TrainCounts counts;
  LineFiles files(platform, options, fs);
  int written = 0;
  Status status;
  const RequestStream stream = StreamOf(0, options.samples, 0.0);
  ForEachImpression(platform, stream, options.samples, [&](const Impression& impression) {
    if (!status.ok()) {
      return;
    }
    counts.Add(impression);
    files.Append(impression);
    if (files.lines() == options.samples_per_file) {
      status = files.Write(TrainFileName(written++));
    }
  });
  AP_RETURN_IF_ERROR(status);
  if (files.lines() > 0) {
    AP_RETURN_IF_ERROR(files.Write(TrainFileName(written)));
  }
  return counts;
}

StatusOr<ScoreBoard> WriteEvalFile(const Platform& platform, const SampleSetOptions& options,
                                   FileSystem& fs) {
  ScoreBoard board;
  LineFiles files(platform, options, fs);
  ForEachHeldOut(platform, options.eval_samples, [&](const Impression& impression) {
    board.Add(impression);
    files.Append(impression);
  });
  AP_RETURN_IF_ERROR(files.Write("eval"));
  return board;
}

// Plain whatever the options say: these files are small.
Status WriteRequestFiles(const Platform& platform, const SampleSetOptions& options,
                         FileSystem& fs) {
  const SampleCsv csv(platform);
  std::string lines = SampleCsv::RequestHeader();
  std::vector<Impression> candidates;
  for (int64_t i = 0; i < options.requests; ++i) {
    DrawCandidates(platform, options.requests, i, candidates);
    for (const Impression& candidate : candidates) {
      csv.AppendRequest(candidate, lines);
    }
  }
  const std::string folder = options.directory + "/";
  AP_RETURN_IF_ERROR(WriteFileAtomically(fs, folder + "requests.csv", lines));
  AP_RETURN_IF_ERROR(WriteFileAtomically(fs, folder + "avatars.csv", csv.AvatarFile()));
  return WriteFileAtomically(fs, folder + "texts.csv", csv.TextFile());
}

// A file that WriteSampleSet may have written, also one that a crash left half-way.
bool IsOfSampleSet(const std::string& name) {
  constexpr std::array kBeginnings = {"train-",      "eval.csv",  "requests.csv",
                                      "avatars.csv", "texts.csv", "truth.json"};
  return std::any_of(kBeginnings.begin(), kBeginnings.end(),
                     [&name](const char* beginning) { return name.starts_with(beginning); });
}

}  // namespace

RequestStream FreshRequests(int64_t requests) {
  return {
      .first_request_id = kFirstFreshRequest, .requests = requests, .begin = kEvalBegin, .end = 1};
}

void DrawCandidates(const Platform& platform, int64_t requests, int64_t index,
                    std::vector<Impression>& candidates) {
  platform.DrawRequest(FreshRequests(requests), index, candidates);
  for (Impression& candidate : candidates) {
    candidate.showing.position = 0;
    candidate.chances = platform.truth().ChancesOf(candidate.showing);
  }
}

void ForEachHeldOut(const Platform& platform, int64_t samples,
                    const std::function<void(const Impression&)>& visit) {
  ForEachImpression(platform, StreamOf(kFirstEvalRequest, samples, kEvalBegin), samples, visit);
}

StatusOr<std::string> WriteSampleSet(const Platform& platform, const SampleSetOptions& options,
                                     FileSystem& fs) {
  if (options.samples < 1 || options.eval_samples < 1 || options.samples_per_file < 1) {
    return InvalidArgumentError("samples, eval_samples and samples_per_file must be at least 1");
  }
  if (options.requests < 0) {
    return InvalidArgumentError("requests is " + std::to_string(options.requests) +
                                ", expected 0 or more");
  }
  AP_RETURN_IF_ERROR(fs.MakeDirectories(options.directory));
  AP_ASSIGN_OR_RETURN(const std::vector<std::string> present, fs.List(options.directory));
  if (!present.empty()) {
    return AlreadyExistsError("folder " + options.directory + " is not empty (it has " +
                              present.front() +
                              "); name another one, or replace its samples with --force");
  }
  AP_ASSIGN_OR_RETURN(const TrainCounts counts, WriteTrainFiles(platform, options, fs));
  AP_ASSIGN_OR_RETURN(const ScoreBoard board, WriteEvalFile(platform, options, fs));
  if (options.requests > 0) {
    AP_RETURN_IF_ERROR(WriteRequestFiles(platform, options, fs));
  }
  const std::string report = TruthReport(platform.options(), options.requests, counts, board);
  AP_RETURN_IF_ERROR(WriteFileAtomically(fs, options.directory + "/truth.json", report));
  return report;
}

Status RemoveSampleSet(const std::string& directory, FileSystem& fs) {
  if (!fs.Exists(directory)) {
    return Status();
  }
  AP_ASSIGN_OR_RETURN(std::vector<std::string> names, fs.List(directory));
  std::stable_partition(names.begin(), names.end(),
                        [](const std::string& name) { return name == "truth.json"; });
  for (const std::string& name : names) {
    if (IsOfSampleSet(name)) {
      AP_RETURN_IF_ERROR(fs.Remove(directory + "/" + name));
    }
  }
  return Status();
}

}  // namespace antiphon
