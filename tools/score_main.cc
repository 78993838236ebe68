// ps_score: predictions of an exported version, for a file of samples or over HTTP, by the
// trainer's own forward pass.
#include <atomic>
#include <chrono>
#include <iostream>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <gflags/gflags.h>

#include "common/base/clock.h"
#include "common/base/command_line.h"
#include "common/base/file_system.h"
#include "common/base/logging.h"
#include "common/base/signals.h"
#include "common/base/text.h"
#include "common/math/gemm.h"
#include "scoring/score_file.h"
#include "scoring/scorer.h"
#include "serving/live_model.h"
#include "serving/model_refresh.h"
#include "serving/served_model.h"
#include "tools/score/score_server.h"
#include "tools/score/score_service.h"

DEFINE_string(model, "", "a version for serving, or a directory of versions, what ps_export wrote");
DEFINE_string(samples, "", "file of rows to score, like those that the job trains on");
DEFINE_bool(csv, false,
            "with --samples: it has commas and a header, whatever the job's own files look like");
DEFINE_string(columns, "", "with --samples: columns, comma separated, to show before predictions");
DEFINE_string(out, "", "with --samples: file for the predictions, as CSV; empty: standard output");
DEFINE_string(http, "", "serve on this address, such as 127.0.0.1:8080; port 0 takes a free one");
DEFINE_int64(refresh_ms, 1000,
             "with --http and a directory of versions: how often to look for a newer one");
DEFINE_int32(threads, 1, "with --http: requests at the same time; else threads of a batch");
DEFINE_string(gemm, "auto", "matrix library: auto, eigen, openblas or onednn");
DECLARE_string(log_dir);  // glog's

namespace antiphon {
namespace {

constexpr char kProgram[] = "ps_score";
constexpr char kAbout[] =
    "scores samples with an exported version (docs/serving.md)\n"
    "  ps_score --model=DIR --samples=FILE.csv [--out=FILE.csv]\n"
    "  ps_score --model=DIR --http=127.0.0.1:8080";

std::vector<std::string> Columns() {
  std::vector<std::string> columns;
  for (const std::string_view column : Split(FLAGS_columns, ",")) {
    if (!column.empty()) {
      columns.emplace_back(column);
    }
  }
  return columns;
}

Status ScoreSamples(const ServedModel& model, const Gemm& gemm, FileSystem& fs) {
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<Scorer> scorer,
                      Scorer::Create(model, gemm, FLAGS_threads));
  const ScoreFileOptions options = {
      .path = FLAGS_samples, .columns = Columns(), .is_plain_csv = FLAGS_csv};
  return ScoreFileTo(FLAGS_out, options, *scorer, fs);
}

// Whether a scorer can be made of it, before it takes the place of one that can.
Status CheckScorable(const ServedModel& model) {
  const Gemm gemm = Gemm::Create(GemmBackend::kEigen);
  return Scorer::Create(model, gemm, 1).status();
}

// Each state of what is followed, once.
class RefreshLog {
 public:
  explicit RefreshLog(const LiveModel& model) : model_(model) {}

  void Tell(const StatusOr<bool>& moved) {
    if (moved.ok() && *moved) {
      LOG(INFO) << "serving version " << model_.Report().version;
    }
    if (!moved.ok() && moved.status().message() != last_error_) {
      LOG(WARNING) << "nothing newer can be served: " << moved.status();
    }
    last_error_ = moved.status().message();
  }

 private:
  const LiveModel& model_;
  std::string last_error_;
};

Status Serve(const Gemm& gemm, FileSystem& fs) {
  SystemClock clock;
  std::atomic<bool> stop = false;
  // The watcher comes first, so that every thread inherits its blocked signals.
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<SignalWatcher> signals,
                      SignalWatcher::Start([&stop](int) {
                        stop = true;
                        stop.notify_all();
                      }));
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<LiveModel> model,
                      LiveModel::Open({.folder = FLAGS_model, .accept = CheckScorable}, fs, clock));
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<ScoreService> service,
                      ScoreService::Create(*model, gemm, clock, FLAGS_threads));
  AP_ASSIGN_OR_RETURN(
      const std::unique_ptr<ScoreServer> server,
      ScoreServer::Start({.address = FLAGS_http, .threads = FLAGS_threads}, *service));
  std::cout << "ps_score: serving " << service->Health() << " on port " << server->port()
            << std::endl;
  ModelRefresh refresh(*model, std::chrono::milliseconds(FLAGS_refresh_ms),
                       [&service, log = RefreshLog(*model)](const StatusOr<bool>& moved) mutable {
                         service->Renew();
                         log.Tell(moved);
                       });
  stop.wait(false);
  refresh.Stop();
  server->Stop();
  return Status();
}

Status Run(std::span<char* const> arguments) {
  AP_RETURN_IF_ERROR(ParseFlags(arguments, kProgram, kAbout, {}));
  if (FLAGS_model.empty() || FLAGS_samples.empty() == FLAGS_http.empty()) {
    return InvalidArgumentError("expected --model=DIR and either --samples=FILE or --http=ADDRESS");
  }
  if (FLAGS_threads < 1 || FLAGS_threads > 256) {
    return InvalidArgumentError("--threads=" + std::to_string(FLAGS_threads) +
                                ", expected 1 to 256");
  }
  if (FLAGS_refresh_ms < 1) {
    return InvalidArgumentError("--refresh_ms=" + std::to_string(FLAGS_refresh_ms) +
                                ", expected 1 or more");
  }
  AP_ASSIGN_OR_RETURN(const GemmBackend backend, ParseGemmBackend(FLAGS_gemm));
  InitLogging({.program = arguments[0],
               .log_dir = FLAGS_log_dir,
               .min_severity = FLAGS_log_dir.empty() ? google::WARNING : google::INFO});
  PosixFileSystem fs;
  const Gemm gemm = Gemm::Create(backend);
  if (!FLAGS_http.empty()) {
    return Serve(gemm, fs);
  }
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<ServedModel> model, ServedModel::Open(FLAGS_model));
  return ScoreSamples(*model, gemm, fs);
}

}  // namespace
}  // namespace antiphon

int main(int argc, char** argv) {
  const antiphon::Status status = antiphon::Run({argv, static_cast<size_t>(argc)});
  antiphon::FlushLogging();
  return antiphon::ExitWith(antiphon::kProgram, status);
}
