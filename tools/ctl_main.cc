// ps_ctl: asks a running cluster how it is, and tells it what to do.
#include <chrono>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "common/base/clock.h"
#include "common/net/zmq_transport.h"
#include "models/checked_job.h"
#include "serving/export/exporter.h"
#include "serving/export/parity.h"
#include "serving/export/row_filter.h"
#include "tools/ctl/commands.h"
#include "tools/ctl/extend_job.h"
#include "tools/ctl/snapshot_files.h"
#include "tools/served/served_page.h"

namespace antiphon {
namespace {

constexpr Duration kReachWithin = std::chrono::seconds(2);
// A snapshot takes as long as its bytes need to reach the disk.
constexpr double kSnapshotTimeoutSeconds = 3600;
// An extension waits for a snapshot that is being written.
constexpr double kExtendTimeoutSeconds = 600;

struct Arguments {
  std::string scheduler;
  OutputFormat format = OutputFormat::kText;
  double timeout_seconds = 5;
  std::string table;
  std::string key;
  std::string value;
  std::string directory;
  std::string node;
  uint32_t windows = 10;
  std::string job;
  std::vector<std::string> overrides;  // of the job
  ParityOptions parity;
  ExportOptions exported;
  ServedOptions served;
};

int Finish(const Status& status) {
  if (!status.ok()) {
    std::cerr << "ps_ctl: error: " << status.message() << "\n";
  }
  return static_cast<int>(CtlExitFor(status));
}

Duration Timeout(const Arguments& arguments) {
  return std::chrono::duration_cast<Duration>(
      std::chrono::duration<double>(arguments.timeout_seconds));
}

void AddOptions(CLI::App& app, Arguments& arguments) {
  app.fallthrough();
  app.require_subcommand(1);
  app.add_option("--scheduler", arguments.scheduler, "address, such as tcp://127.0.0.1:7000")
      ->envname("ANTIPHON_SCHEDULER");
  const std::map<std::string, OutputFormat> formats = {{"text", OutputFormat::kText},
                                                       {"json", OutputFormat::kJson}};
  app.add_option("-o,--output", arguments.format, "text or json")
      ->transform(CLI::CheckedTransformer(formats).description(""));
  app.add_option("--timeout_seconds", arguments.timeout_seconds, "how long to wait for an answer")
      ->check(CLI::PositiveNumber);
  app.footer("Exit codes: 0 healthy, 1 degraded or refused, 2 usage, 3 no scheduler, 4 timeout.");
}

// `job` is that of extend.
StatusOr<CtlExit> RunCommand(const CLI::App& app, const Arguments& arguments, FileSystem& fs,
                             const std::optional<JobFile>& job, CtlContext& context) {
  const std::string name = app.get_subcommands().front()->get_name();
  if (name == "status") {
    return ShowStatus(context);
  }
  if (name == "tables") {
    return ShowTables(context);
  }
  if (name == "tasks") {
    return ShowTasks(context, arguments.windows);
  }
  if (name == "stream") {
    return ShowStreams(context);
  }
  if (name == "explain") {
    return arguments.key.empty() ? ExplainValue(context, arguments.table, arguments.value)
                                 : ExplainKey(context, arguments.table, arguments.key);
  }
  if (name == "snapshot") {
    return TakeSnapshot(context, arguments.directory);
  }
  if (name == "extend") {
    return ExtendJob(context, fs, arguments.job, *job);
  }
  if (name == "drain") {
    return DrainNode(context, arguments.node);
  }
  return StopJob(context);
}

// `command` is snapshot ls or snapshot verify.
StatusOr<CtlExit> RunOnFiles(const std::string& command, const Arguments& arguments) {
  PosixFileSystem fs;
  SystemClock clock;
  SnapshotFilesContext context = {
      .fs = fs, .clock = clock, .out = std::cout, .format = arguments.format};
  return command == "ls" ? ShowSnapshots(context, arguments.directory)
                         : VerifySnapshots(context, arguments.directory);
}

StatusOr<CtlExit> RunExport(const Arguments& arguments) {
  PosixFileSystem fs;
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<FrozenModel> model,
                      FrozenModel::Load(fs, arguments.directory));
  AP_ASSIGN_OR_RETURN(const Signature signature, ExportModel(fs, *model, arguments.exported));
  std::cout << arguments.exported.out << ": " << VersionSummary(signature) << "\n";
  if (signature.has_min_score()) {
    std::cout << FilterText(*model, signature);
  }
  return CtlExit::kHealthy;
}

StatusOr<CtlExit> RunParity(const ParityOptions& options) {
  PosixFileSystem fs;
  const Status status = CheckParity(fs, options, std::cout);
  if (status.code() != StatusCode::kFailedPrecondition) {
    AP_RETURN_IF_ERROR(status);
  }
  Finish(status);
  return status.ok() ? CtlExit::kHealthy : CtlExit::kDegraded;
}

StatusOr<CtlExit> RunServed(const Arguments& arguments) {
  PosixFileSystem fs;
  SystemClock clock;
  ServedOptions options = arguments.served;
  options.format = arguments.format;
  options.timeout = Timeout(arguments);
  return ShowServed(options, fs, clock, std::cout);
}

StatusOr<std::optional<JobFile>> LoadGivenJob(const Arguments& arguments, FileSystem& fs) {
  if (arguments.job.empty()) {
    return std::optional<JobFile>();
  }
  AP_ASSIGN_OR_RETURN(JobFile job, LoadCheckedJob(fs, arguments.job, arguments.overrides));
  return std::optional(std::move(job));
}

StatusOr<CtlExit> Run(const CLI::App& app, const Arguments& arguments) {
  const std::vector<CLI::App*> on_files = app.get_subcommands().front()->get_subcommands();
  if (!on_files.empty()) {
    return RunOnFiles(on_files.front()->get_name(), arguments);
  }
  const std::string name = app.get_subcommands().front()->get_name();
  if (name == "parity") {
    return RunParity(arguments.parity);
  }
  if (name == "export") {
    return RunExport(arguments);
  }
  if (name == "served") {
    return RunServed(arguments);
  }
  if (arguments.scheduler.empty()) {
    return InvalidArgumentError(
        "which cluster? give --scheduler=tcp://HOST:PORT or set ANTIPHON_SCHEDULER");
  }
  PosixFileSystem fs;
  AP_ASSIGN_OR_RETURN(const std::optional<JobFile> job, LoadGivenJob(arguments, fs));
  SystemClock clock;
  std::random_device random;
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<ZmqTransport> transport, ZmqTransport::Create());
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<CtlClient> client,
                      CtlClient::Connect(*transport, clock, arguments.scheduler,
                                         (uint64_t{random()} << 32 | random()) | 1, kReachWithin));
  CtlContext context = {.client = *client,
                        .clock = clock,
                        .out = std::cout,
                        .format = arguments.format,
                        .timeout = Timeout(arguments)};
  return RunCommand(app, arguments, fs, job, context);
}

// What works on snapshots, versions and whoever serves them.
void AddServingCommands(CLI::App& app, Arguments& arguments) {
  const std::map<std::string, RowPrecision> precisions = {
      {"fp32", RowPrecision::kFp32}, {"fp16", RowPrecision::kFp16}, {"int8", RowPrecision::kInt8}};
  CLI::App* exported =
      app.add_subcommand("export", "make a snapshot a version for serving; asks no cluster");
  exported->add_option("--snapshot", arguments.directory, "a snapshot, or a folder of them")
      ->required();
  exported->add_option("--out", arguments.exported.out, "the folder to make")->required();
  exported->add_option("--precision", arguments.exported.precision, "fp32, fp16 or int8")
      ->transform(CLI::CheckedTransformer(precisions).description(""));
  exported->add_option("--min_score", arguments.exported.min_score,
                       "leave out rows of a lower score; default: serve every row");
  CLI::App* parity = app.add_subcommand(
      "parity", "whether an export says of samples what its snapshot says; asks no cluster");
  parity->add_option("--snapshot", arguments.parity.snapshot, "a snapshot, or a folder of them")
      ->required();
  parity->add_option("--samples", arguments.parity.samples, "rows like those of the training")
      ->required();
  parity->add_option("--version", arguments.parity.version,
                     "what ps_export wrote; default: every precision is tried");
  parity->add_option("--job", arguments.parity.job, "a job file whose features must be the same");
  parity->add_option("--min_score", arguments.parity.min_score,
                     "leave out rows of a lower score and show what that costs");
  parity
      ->add_option("--scorer", arguments.parity.scorers,
                   "a command that scores a version; several may be given")
      ->allow_extra_args(false);
  parity
      ->add_option_function<double>(
          "--scorer_seconds",
          [&arguments](double seconds) {
            arguments.parity.scorer_deadline =
                std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
          },
          "how long a scorer may take; default 600")
      ->check(CLI::Range(0.01, 1e6));
  CLI::App* served = app.add_subcommand(
      "served", "which version is served, its age, and how fresh it is; asks no cluster");
  CLI::Option_group* of = served->add_option_group("what", "of what, at least one of");
  of->add_option("--score", arguments.served.servers, "HOST:PORT of a ps_score; may be repeated");
  of->add_option("--versions", arguments.served.directories,
                 "a directory of versions; may be repeated");
  of->require_option(1, 0);
}

int Main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("Asks a running cluster how it is, and tells it what to do.", "ps_ctl");
  AddOptions(app, arguments);
  app.add_subcommand("status", "nodes, lanes, leases and metrics");
  app.add_subcommand("tables", "rows and bytes of each table");
  CLI::App* tasks = app.add_subcommand("tasks", "metrics by window, and what is off");
  tasks->add_option("--windows", arguments.windows, "how many of the newest");
  app.add_subcommand("stream", "how far each partition of a stream is, and how far behind");
  CLI::App* explain = app.add_subcommand("explain", "where a key lies and what its row holds");
  explain->add_option("table", arguments.table, "table name")->required();
  CLI::Option_group* row = explain->add_option_group("row", "which row, by one of");
  row->add_option("key", arguments.key, "decimal, or hexadecimal after 0x");
  row->add_option("--value", arguments.value, "one value of a feature, as it stands in the data");
  row->require_option(1);
  CLI::App* snapshot = app.add_subcommand("snapshot", "write a snapshot now, or look at some");
  snapshot->require_subcommand(0, 1);
  snapshot->add_subcommand("ls", "what lies in a folder of snapshots; asks no cluster")
      ->add_option("directory", arguments.directory, "folder of snapshots")
      ->required();
  snapshot->add_subcommand("verify", "read every byte and name the first fault; asks no cluster")
      ->add_option("directory", arguments.directory, "a snapshot, or a folder of snapshots")
      ->required();
  snapshot->add_option("--dir", arguments.directory, "folder; default: the cluster's own");
  snapshot->parse_complete_callback([&] {
    if (app.count("--timeout_seconds") == 0) {
      arguments.timeout_seconds = kSnapshotTimeoutSeconds;
    }
  });
  CLI::App* extend = app.add_subcommand("extend", "give the running job more tasks and scenes");
  extend->add_option("job", arguments.job, "its job file, edited")->required();
  extend->add_option("--set", arguments.overrides, "path.to.field=value, as given to the workers")
      ->allow_extra_args(false);
  extend->parse_complete_callback([&] {
    if (app.count("--timeout_seconds") == 0) {
      arguments.timeout_seconds = kExtendTimeoutSeconds;
    }
  });
  AddServingCommands(app, arguments);
  app.add_subcommand("drain", "have a node give away what it has and leave; the job goes on")
      ->add_option("node", arguments.node, "as status shows it, such as server/1 or worker/0")
      ->required();
  app.add_subcommand("stop", "end the job and every process of the cluster");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : static_cast<int>(CtlExit::kUsage);
  }
  const StatusOr<CtlExit> result = Run(app, arguments);
  return result.ok() ? static_cast<int>(*result) : Finish(result.status());
}

}  // namespace
}  // namespace antiphon

int main(int argc, char** argv) {
  return antiphon::Main(argc, argv);
}
