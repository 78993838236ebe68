// ps_simulate: writes the samples of a simulated live-streaming platform whose truth is known, and
// says how much of that truth a training run has found.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gflags/gflags.h>

#include "common/base/clock.h"
#include "common/base/file_system.h"
#include "common/base/logging.h"
#include "common/base/mutex.h"
#include "common/base/signals.h"
#include "common/base/status.h"
#include "common/base/text.h"
#include "simulation/comparison.h"
#include "simulation/conditional_judgement.h"
#include "simulation/event_files.h"
#include "simulation/event_stream.h"
#include "simulation/judgement.h"
#include "simulation/platform.h"
#include "simulation/platform_options.h"
#include "simulation/sample_set.h"
#include "simulation/task.h"
#include "simulation/truth_report.h"
#include "stream/config_file.h"
#include "tools/simulate/stream_logs.h"

DEFINE_string(out, "", "folder for the samples; it is created, and must be empty");
DEFINE_int64(samples, 1500000, "training samples");
DEFINE_int64(eval_samples, 160000, "held-out samples");
DEFINE_uint64(seed, 1, "the platform's seed; equal flags give equal bytes");
DEFINE_int32(days, 14, "length of the period in days");
DEFINE_int32(users, 6000, "users who appear; a third of them during the period");
DEFINE_int32(hosts, 400, "hosts");
DEFINE_int32(avatars, 4, "avatars of each host");
DEFINE_int32(texts, 4, "texts of each host");
DEFINE_double(harmony, 0,
              "deviation that avatar and text bring to the click by how they go together");
DEFINE_double(drift, 1, "how much more than usual tastes change over the period");
DEFINE_double(
    kinship, 0,
    "correlation of what makes users and hosts inclined to the other tasks with what makes "
    "them inclined to the click");
DEFINE_double(character, 0,
              "deviation that each host alone brings to what follows a click, told by its id only");
DEFINE_double(lifetime_days, 0,
              "each host is on air around the clock for so long, from a moment of its own, and is "
              "then gone for good; 0: hosts have shows, most of them through the whole period");
DEFINE_int64(requests, 0, "requests of four hosts to choose triplets for, as --judge judges them");
DEFINE_int64(samples_per_file, 131072, "training samples of one file");
DEFINE_string(compress, "none", "none, or zstd");
DEFINE_bool(stream, false,
            "write impressions and feedback apart, as events, into folders of segments");
DEFINE_string(events, "",
              "with --stream: file with the data_config that ps_join --data or a job reads the "
              "events by; they go where its stream is, and only the truth to --out");
DEFINE_int32(partitions, 2, "with --stream: folders of each kind of event, without --events");
DEFINE_bool(together, false, "with --stream: feedback goes where its impression went");
DEFINE_string(delays, "",
              "with --stream: mean seconds to the click and from it to the others, such as "
              "click:8,gift:600");
DEFINE_string(begin, "1767225600",
              "with --stream: when the period begins, whole seconds since 1970, or now; its first "
              "hour is hour 0 of the day");
DEFINE_double(seconds, 0,
              "with --stream: so much of the period, from its beginning, has all --samples; what "
              "users do later is not told; 0: the whole period");
DEFINE_double(out_of_order_seconds, 2, "with --stream: how much later than others events arrive");
DEFINE_double(speed, 0, "with --stream: event seconds a second; 0 is as fast as possible");
DEFINE_int64(segment_events, 20000, "with --stream: events of one segment");
DEFINE_int64(segment_ms, 1000, "with --speed: segments end after so long, too");
DEFINE_bool(force, false, "replace the samples that --out already has");
DEFINE_string(compare, "", "report of a training run: compare it with --truth, write no samples");
DEFINE_string(truth, "", "truth.json of the samples that the run was trained on");
DEFINE_string(judge, "", "triplets chosen for requests.csv: what they are worth, write no samples");
DEFINE_string(
    judge_conditional, "",
    "scores of eval.csv: how well they order all impressions by --judge_task given a click");
DEFINE_string(judge_by, "click",
              "with --judge: the column whose highest value chooses the host; with "
              "--judge_conditional: the column of the score");
DEFINE_string(judge_task, "click",
              "with --judge: whose true probability counts; with --judge_conditional: the task");
DEFINE_double(require_click_share, 0,
              "with --compare: exit with 1 when the click misses this share of the attainable AUC");
DEFINE_int64(min_scene_samples, 20000,
             "with --require_click_share: ask it of scenes with more training samples than this");

namespace GFLAGS_NAMESPACE {
// Called for a flag that does not parse.
extern void (*gflags_exitfunc)(int);  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)
}  // namespace GFLAGS_NAMESPACE

namespace antiphon {
namespace {

constexpr int kExitMissed = 1;
constexpr int kExitUsage = 64;
constexpr int kExitBadData = 65;
constexpr int kExitCannotCreate = 73;
constexpr int kExitIo = 74;
constexpr uint64_t kMaxReportBytes = 64 << 20;
constexpr uint64_t kMaxChosenBytes = uint64_t{4} << 30;

constexpr char kUsage[] =
    "Simulates a live-streaming platform with known truth.\n"
    "\n"
    "  ps_simulate --out=DIR [--samples=N] [--eval_samples=N] [--seed=S] [--days=D]\n"
    "      writes DIR/train-*.csv, DIR/eval.csv and DIR/truth.json (docs/simulation.md)\n"
    "  ps_simulate --stream --out=DIR [--samples=N] [--speed=X] [--partitions=P] [--delays=...]\n"
    "      writes DIR/impressions-*, DIR/feedback-* and DIR/truth, folders of segments that grow\n"
    "  ps_simulate --stream --begin=now --speed=1 --seconds=S --samples=N --out=DIR\n"
    "      the same in real time: S seconds from now, with N impressions\n"
    "  ps_simulate --stream --events=FILE --out=DIR [--samples=N] [--speed=X] [--delays=...]\n"
    "      writes the events to the folders, the Kafka topic or the Redis streams of FILE\n"
    "  ps_simulate --compare=REPORT.json --truth=DIR/truth.json [--require_click_share=0.9]\n"
    "      prints what a training run reached of the attainable AUC\n"
    "  ps_simulate --judge=CHOSEN.csv --truth=DIR/truth.json\n"
    "      prints the true click probability of the triplets of ps_train --score\n"
    "  ps_simulate --judge_conditional=SCORES.csv --judge_by=COLUMN --judge_task=long_watch\n"
    "              --truth=DIR/truth.json\n"
    "      prints the AUC of scores of eval.csv, given a click, over all impressions\n"
    "\n"
    "Flags:\n";

void PrintHelp() {
  std::fputs(kUsage, stdout);
  std::vector<gflags::CommandLineFlagInfo> flags;
  gflags::GetAllFlags(&flags);
  for (const gflags::CommandLineFlagInfo& flag : flags) {
    if (flag.filename.ends_with("simulate_main.cc")) {
      std::printf("  --%-20s %s (default: %s)\n", flag.name.c_str(), flag.description.c_str(),
                  flag.default_value.empty() ? "none" : flag.default_value.c_str());
    }
  }
}

int Fail(const Status& status, int exit_code) {
  std::fprintf(stderr, "ps_simulate: error: %s\n", status.message().c_str());
  return exit_code;
}

int ExitCodeOf(const Status& status) {
  switch (status.code()) {
    case StatusCode::kInvalidArgument:
      return kExitUsage;
    case StatusCode::kAlreadyExists:
    case StatusCode::kPermissionDenied:
      return kExitCannotCreate;
    default:
      return kExitIo;
  }
}

PlatformOptions PlatformFromFlags() {
  return {.seed = FLAGS_seed,
          .days = FLAGS_days,
          .users = FLAGS_users,
          .hosts = FLAGS_hosts,
          .avatars = FLAGS_avatars,
          .texts = FLAGS_texts,
          .harmony = FLAGS_harmony,
          .drift = FLAGS_drift,
          .kinship = FLAGS_kinship,
          .character = FLAGS_character,
          .lifetime_days = FLAGS_lifetime_days};
}

StatusOr<int64_t> BeginMsFromFlags(Clock& clock) {
  if (FLAGS_begin == "now") {
    return clock.WallMs();
  }
  const std::optional<int64_t> seconds = ParseInt(FLAGS_begin);
  if (!seconds.has_value() || *seconds < 0 || *seconds > kLatestBeginMs / 1000) {
    return InvalidArgumentError("--begin is " + FLAGS_begin +
                                ", expected whole seconds since 1970, before 2100, or now");
  }
  return *seconds * 1000;
}

// Waits for time to pass, or for a signal that ends it.
class Pause {
 public:
  void Break() AP_EXCLUDES(mu_) {
    MutexLock lock(mu_);
    is_broken_ = true;
    changed_.SignalAll();
  }

  // False when it was broken.
  bool For(Duration duration) AP_EXCLUDES(mu_) {
    MutexLock lock(mu_);
    if (!is_broken_) {
      changed_.WaitFor(mu_, duration);
    }
    return !is_broken_;
  }

 private:
  Mutex mu_;
  CondVar changed_;
  bool is_broken_ AP_GUARDED_BY(mu_) = false;
};

StatusOr<EventFilesCounts> WriteStream(const Platform& platform, const EventStreamOptions& events,
                                       EventFilesOptions options, FileSystem& fs, Clock& clock,
                                       const WaitFor& wait) {
  if (FLAGS_events.empty()) {
    return WriteEventFiles(platform, events, options, fs, clock, wait);
  }
  AP_ASSIGN_OR_RETURN(const DataConfig data, LoadDataConfig(fs, FLAGS_events));
  AP_ASSIGN_OR_RETURN(EventLogs logs, MakeStreamLogs(data, fs, clock));
  options.partitions = static_cast<int>(logs.size()) / (options.together ? 1 : 2);
  return WriteEvents(platform, events, options, std::move(logs), fs, clock, wait);
}

int Stream() {
  SystemClock clock;
  PosixFileSystem fs;
  const StatusOr<int64_t> begin_ms = BeginMsFromFlags(clock);
  if (!begin_ms.ok()) {
    return Fail(begin_ms.status(), kExitUsage);
  }
  if (!(FLAGS_seconds >= 0)) {
    return Fail(InvalidArgumentError("--seconds must be 0 or more"), kExitUsage);
  }
  PlatformOptions told = PlatformFromFlags();
  told.begin_ms = *begin_ms;
  const StatusOr<std::unique_ptr<Platform>> platform = Platform::Create(told);
  if (!platform.ok()) {
    return Fail(platform.status(), kExitUsage);
  }
  EventStreamOptions events = {.impressions = FLAGS_samples, .seconds = FLAGS_seconds};
  if (!FLAGS_delays.empty()) {
    const Status delays = SetDelays(FLAGS_delays, events);
    if (!delays.ok()) {
      return Fail(delays, kExitUsage);
    }
  }
  Pause pause;
  const StatusOr<std::unique_ptr<SignalWatcher>> signals =
      SignalWatcher::Start([&pause](int) { pause.Break(); });
  if (!signals.ok()) {
    return Fail(signals.status(), kExitIo);
  }
  const EventFilesOptions options = {.directory = FLAGS_out,
                                     .partitions = FLAGS_partitions,
                                     .together = FLAGS_together,
                                     .segment_events = FLAGS_segment_events,
                                     .out_of_order_seconds = FLAGS_out_of_order_seconds,
                                     .speed = FLAGS_speed,
                                     .segment_every = std::chrono::milliseconds(FLAGS_segment_ms)};
  const Time begin = clock.Now();
  const StatusOr<EventFilesCounts> counts =
      WriteStream(**platform, events, options, fs, clock,
                  [&pause](Duration duration) { return pause.For(duration); });
  if (!counts.ok()) {
    return Fail(counts.status(), ExitCodeOf(counts.status()));
  }
  std::printf("%s: %lld impressions and %lld feedback events in %.1f s\n", FLAGS_out.c_str(),
              static_cast<long long>(counts->impressions), static_cast<long long>(counts->feedback),
              SecondsBetween(begin, clock.Now()));
  return 0;
}

int Simulate() {
  SystemClock clock;
  const Time begin = clock.Now();
  if (FLAGS_compress != "none" && FLAGS_compress != "zstd") {
    return Fail(InvalidArgumentError("--compress is " + FLAGS_compress + ", expected none or zstd"),
                kExitUsage);
  }
  StatusOr<std::unique_ptr<Platform>> platform = Platform::Create(PlatformFromFlags());
  if (!platform.ok()) {
    return Fail(platform.status(), kExitUsage);
  }
  PosixFileSystem fs;
  if (FLAGS_force) {
    const Status removed = RemoveSampleSet(FLAGS_out, fs);
    if (!removed.ok()) {
      return Fail(removed, kExitCannotCreate);
    }
  }
  const SampleSetOptions options = {
      .directory = FLAGS_out,
      .samples = FLAGS_samples,
      .eval_samples = FLAGS_eval_samples,
      .samples_per_file = FLAGS_samples_per_file,
      .requests = FLAGS_requests,
      .compression = FLAGS_compress == "zstd" ? Compression::kZstd : Compression::kNone};
  const StatusOr<std::string> truth = WriteSampleSet(**platform, options, fs);
  if (!truth.ok()) {
    return Fail(truth.status(), ExitCodeOf(truth.status()));
  }
  const double seconds = SecondsBetween(begin, clock.Now());
  const auto samples = static_cast<double>(FLAGS_samples + FLAGS_eval_samples);
  std::printf("%s: %lld training and %lld held-out samples in %.1f s (%s/s)\n", FLAGS_out.c_str(),
              static_cast<long long>(FLAGS_samples), static_cast<long long>(FLAGS_eval_samples),
              seconds, FormatCount(samples / seconds).c_str());
  return 0;
}

int Compare() {
  PosixFileSystem fs;
  const StatusOr<std::string> report = ReadWholeFile(fs, FLAGS_compare, kMaxReportBytes);
  if (!report.ok()) {
    return Fail(report.status(), kExitIo);
  }
  const StatusOr<std::string> truth = ReadWholeFile(fs, FLAGS_truth, kMaxReportBytes);
  if (!truth.ok()) {
    return Fail(truth.status(), kExitIo);
  }
  const StatusOr<std::vector<ComparisonRow>> rows = CompareWithTruth(*report, *truth);
  if (!rows.ok()) {
    return Fail(rows.status().WithContext(FLAGS_compare), kExitBadData);
  }
  std::fputs(ComparisonTable(*rows).c_str(), stdout);
  const std::vector<std::string> missed =
      MissedClickShares(*rows, FLAGS_require_click_share, FLAGS_min_scene_samples);
  if (FLAGS_require_click_share <= 0 || missed.empty()) {
    return 0;
  }
  for (const std::string& sentence : missed) {
    std::fprintf(stderr, "ps_simulate: %s\n", sentence.c_str());
  }
  return kExitMissed;
}

// The table of what `path`, the output of ps_train --score, is worth.
StatusOr<std::string> TableOfJudgement(const ToldPlatform& told, const std::string& path,
                                       FileSystem& fs) {
  const std::optional<Task> task = TaskNamed(FLAGS_judge_task);
  if (!task.has_value()) {
    return InvalidArgumentError("--judge_task is " + FLAGS_judge_task + ", expected a task");
  }
  AP_ASSIGN_OR_RETURN(const std::string scored, ReadWholeFile(fs, path, kMaxChosenBytes));
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<Platform> platform, Platform::Create(told.options));
  if (FLAGS_judge.empty()) {
    AP_ASSIGN_OR_RETURN(
        const ConditionalJudgement judgement,
        JudgeConditional(*platform, told.eval_samples, scored, FLAGS_judge_by, *task));
    return ConditionalTable(judgement);
  }
  AP_ASSIGN_OR_RETURN(const Judgement judgement,
                      JudgeChoices(*platform, told.requests, scored, FLAGS_judge_by, *task));
  return JudgementTable(judgement);
}

int Judge() {
  PosixFileSystem fs;
  const StatusOr<std::string> truth = ReadWholeFile(fs, FLAGS_truth, kMaxReportBytes);
  if (!truth.ok()) {
    return Fail(truth.status(), kExitIo);
  }
  const StatusOr<ToldPlatform> told = ReadPlatform(*truth);
  if (!told.ok()) {
    return Fail(told.status().WithContext(FLAGS_truth), kExitBadData);
  }
  const std::string& path = FLAGS_judge.empty() ? FLAGS_judge_conditional : FLAGS_judge;
  const StatusOr<std::string> table = TableOfJudgement(*told, path, fs);
  if (!table.ok()) {
    return Fail(table.status().WithContext(path),
                table.status().code() == StatusCode::kInvalidArgument ? kExitBadData : kExitIo);
  }
  std::fputs(table->c_str(), stdout);
  return 0;
}

int Run(int argc, char** argv) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): flags are read before there is another thread
  GFLAGS_NAMESPACE::gflags_exitfunc = [](int) { std::exit(kExitUsage); };
  gflags::ParseCommandLineNonHelpFlags(&argc, &argv, /*remove_flags=*/true);
  std::string help;
  if (gflags::GetCommandLineOption("help", &help) && help == "true") {
    PrintHelp();
    return 0;
  }
  if (argc > 1) {
    return Fail(InvalidArgumentError(std::string("what is ") + argv[1] + "? see --help"),
                kExitUsage);
  }
  const bool judges = !FLAGS_judge.empty() || !FLAGS_judge_conditional.empty();
  if (judges || !FLAGS_compare.empty()) {
    if (FLAGS_truth.empty()) {
      return Fail(InvalidArgumentError("--compare and --judge need --truth=DIR/truth.json"),
                  kExitUsage);
    }
    return judges ? Judge() : Compare();
  }
  if (FLAGS_out.empty()) {
    return Fail(InvalidArgumentError("--out=DIR is missing; see --help"), kExitUsage);
  }
  return FLAGS_stream ? Stream() : Simulate();
}

}  // namespace
}  // namespace antiphon

int main(int argc, char** argv) {
  antiphon::InitLogging({.program = argv[0], .log_dir = ""});
  return antiphon::Run(argc, argv);
}
