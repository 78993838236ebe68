// ps_export: a snapshot becomes a version for serving.
#include <iostream>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include <gflags/gflags.h>

#include "common/base/clock.h"
#include "common/base/command_line.h"
#include "common/base/file_system.h"
#include "common/base/logging.h"
#include "common/base/text.h"
#include "scoring/frozen_model.h"
#include "serving/export/exporter.h"
#include "serving/export/parity.h"
#include "serving/export/row_filter.h"

DEFINE_string(snapshot, "", "a snapshot, or a folder of snapshots, of which the newest is taken");
DEFINE_string(out, "", "the folder to make, a version for serving; it is not there yet");
DEFINE_string(precision, "fp32", "of embedding rows: fp32, fp16 or int8");
DEFINE_double(min_score, 0,
              "leave out rows of a lower score (docs/serving.md); 0: serve every row");
DEFINE_string(samples, "",
              "rows like those of the training, to say what the version's scores and AUC lost");
DECLARE_string(log_dir);  // glog's

namespace antiphon {
namespace {

constexpr char kProgram[] = "ps_export";
constexpr char kAbout[] =
    "writes what serving needs of a snapshot: model.onnx, embeddings, signature.json\n"
    "  ps_export --snapshot=DIR --out=DIR [--precision=fp32|fp16|int8] [--min_score=X]\n"
    "  docs/formats.md says what is in the folder, docs/serving.md how to serve with it";

Status Run(std::span<char* const> arguments) {
  AP_RETURN_IF_ERROR(ParseFlags(arguments, kProgram, kAbout, {}));
  if (FLAGS_snapshot.empty() || FLAGS_out.empty()) {
    return InvalidArgumentError("expected --snapshot=DIR and --out=DIR");
  }
  const std::optional<RowPrecision> precision = ParsePrecision(FLAGS_precision);
  if (!precision.has_value()) {
    return InvalidArgumentError("--precision=" + FLAGS_precision + ", expected fp32, fp16 or int8");
  }
  InitLogging({.program = arguments[0],
               .log_dir = FLAGS_log_dir,
               .min_severity = FLAGS_log_dir.empty() ? google::WARNING : google::INFO});
  PosixFileSystem fs;
  SystemClock clock;
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<FrozenModel> model,
                      FrozenModel::Load(fs, FLAGS_snapshot));
  const Time start = clock.Now();
  const std::string out = FLAGS_out.size() > 1 && FLAGS_out.ends_with('/')
                              ? FLAGS_out.substr(0, FLAGS_out.size() - 1)
                              : FLAGS_out;
  AP_ASSIGN_OR_RETURN(
      const Signature signature,
      ExportModel(fs, *model, {.out = out, .precision = *precision, .min_score = FLAGS_min_score}));
  std::cout << out << ": " << VersionSummary(signature) << " as " << FLAGS_precision
            << ", written in " << FormatSeconds(SecondsBetween(start, clock.Now())) << "\n";
  if (signature.has_min_score()) {
    std::cout << FilterText(*model, signature);
  }
  return FLAGS_samples.empty()
             ? Status()
             : CheckParity(fs,
                           {.snapshot = model->folder(), .samples = FLAGS_samples, .version = out},
                           std::cout);
}

}  // namespace
}  // namespace antiphon

int main(int argc, char** argv) {
  const antiphon::Status status = antiphon::Run({argv, static_cast<size_t>(argc)});
  antiphon::FlushLogging();
  return antiphon::ExitWith(antiphon::kProgram, status);
}
