// Parity: whether a served version says of samples what the trainer says of them.
//
// The trainer's side is the snapshot under the trainer's forward pass. The served side is the
// exported rows and blocks under the same code ("library", as ps_score and antiphon_serving score),
// so that what differs is what was lost on the way: bits of rows, a vocabulary, a normaliser; and
// beside it any command that scores by itself (serving/export/outside_scorer.h), as ONNX Runtime
// does under Node.
#pragma once

#include <chrono>
#include <ostream>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/file_system.h"
#include "common/base/status.h"

namespace antiphon {

// What fp32 may differ in any probability.
inline constexpr double kParityLimit = 1e-5;

struct ParityOptions {
  std::string snapshot;  // or a folder of them, of which the newest is taken
  std::string samples;   // rows like those that the job trains on
  // The version to look at; empty: the snapshot is exported in every precision, into folders that
  // are gone afterwards.
  std::string version = {};
  // A job file whose features must be those of the version; empty: none is looked at.
  std::string job = {};
  // Rows of a lower score are left out of the exports, and what that does is reported.
  double min_score = 0;
  // Commands of outside scorers, and how long each may take.
  std::vector<std::string> scorers = {};
  Duration scorer_deadline = std::chrono::minutes(10);
};

// Prints a line for each precision, scorer and task: the largest difference and, where the samples
// have labels, what the served side's AUC is short of the trainer's. kFailedPrecondition: a feature
// is not what training had, the message names it; or an fp32 version with every row is further off
// than the limit; or an outside scorer gives no scores.
Status CheckParity(FileSystem& fs, const ParityOptions& options, std::ostream& out);

}  // namespace antiphon
