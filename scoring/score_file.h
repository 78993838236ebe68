// ScoreFile: every row of a file with what a trained model predicts for it or, with catalogues,
// with the best of what it may be shown with. Both files are text, one line a row in the same
// order.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "common/base/file_system.h"
#include "common/base/status.h"
#include "scoring/scorer.h"

namespace antiphon {

struct ScoreFileOptions {
  std::string path;                          // rows to score, or requests
  std::vector<std::string> catalogues = {};  // files, see Catalogue
  // Columns of the rows or of the chosen entries that stand before the predictions. By default,
  // with catalogues: their keys and ids.
  std::vector<std::string> columns = {};
  std::string task = {};  // whose prediction is to be highest; empty: the first
  // Commas and a header in every file, whatever the job's own samples look like.
  bool is_plain_csv = false;
};

// Writes CSV with a header: the columns, then every measure of the scorer. Errors in the rows are
// kDataLoss and say "file:line: column ...".
Status ScoreFile(const ScoreFileOptions& options, Scorer& scorer, FileSystem& fs,
                 std::ostream& out);

// The same into a file, which is there once it is whole; an empty path is standard output. A full
// disk is kResourceExhausted, and what was written until then is removed.
Status ScoreFileTo(const std::string& out_path, const ScoreFileOptions& options, Scorer& scorer,
                   FileSystem& fs);

}  // namespace antiphon
