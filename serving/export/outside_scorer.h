// An outside scorer: any command that scores samples with a version, whatever it is made of.
//
//   COMMAND --model=FOLDER --samples=FILE
//
// FOLDER is the version; FILE is CSV with commas and a header that names input fields, a sample a
// line. The command prints CSV with a header: a column for each task and conditional, by its name,
// and perhaps others; a line for each sample, in their order. It exits with 0.
// `ps_score --csv` is one, examples/serve_node/score.mjs another. Functions; any thread.
#pragma once

#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/file_system.h"
#include "common/base/status.h"

namespace antiphon {

struct OutsideScorer {
  std::string command;  // for the shell
  std::string version;
  std::string samples;
  // Files that the run leaves are called this and what they are; the caller removes them.
  std::string prefix;
  Duration deadline = std::chrono::minutes(10);
};

// [measure][sample]: runs the command and reads what it printed. kFailedPrecondition says why that
// is no scores, with the last words of the command; kDeadlineExceeded: it took too long and was
// killed, with every process of its group.
StatusOr<std::vector<std::vector<float>>> RunOutsideScorer(
    FileSystem& fs, const OutsideScorer& scorer, const std::vector<std::string>& measures);

// The files that a run leaves under this prefix, gone if they were there.
void RemoveOutputOf(FileSystem& fs, const std::string& prefix);

}  // namespace antiphon
