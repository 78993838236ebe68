// Parity: whether a served version says of samples what the trainer says of them.
//
// The trainer's side is the snapshot under the trainer's forward pass; the served side is the
// exported rows and blocks under the same code, so that what differs is what was lost on the way:
// bits of rows, a vocabulary, a normaliser. ONNX Runtime is compared by examples/serve_node with
// the scores that are written here.
#pragma once

#include <ostream>
#include <string>

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
};

// Prints a line for each precision and task: the largest difference and, where the samples have
// labels, what the served side's AUC is short of the trainer's. kFailedPrecondition: a feature is
// not what training had, the message names it; or an fp32 version is further off than the limit.
Status CheckParity(FileSystem& fs, const ParityOptions& options, std::ostream& out);

}  // namespace antiphon
