#include "scoring/score_file.h"

#include <algorithm>
#include <fstream>
#include <iostream>
#include <span>
#include <string_view>
#include <utility>

#include "common/base/text.h"
#include "scoring/candidate_search.h"
#include "scoring/catalogue.h"
#include "scoring/csv_text.h"
#include "scoring/named_rows.h"

namespace antiphon {
namespace {

// Candidates that go through the model together.
constexpr uint32_t kRowsAtOnce = 4096;

// Where a column of the result comes from.
struct ShownColumn {
  int catalogue = -1;  // -1: the row
  size_t column = 0;
};

class FileScorer {
 public:
  FileScorer(const ScoreFileOptions& options, Scorer& scorer, NamedRows rows,
             std::vector<Catalogue> catalogues, std::ostream& out)
      : options_(options),
        scorer_(scorer),
        rows_(std::move(rows)),
        catalogues_(std::move(catalogues)),
        out_(out) {}

  Status Run() {
    AP_ASSIGN_OR_RETURN(
        CandidateSearch search,
        CandidateSearch::Create(scorer_, catalogues_, rows_.columns(), options_.task));
    AP_RETURN_IF_ERROR(WriteHeader());
    while (true) {
      AP_ASSIGN_OR_RETURN(const bool is_there, rows_.Next());
      if (!is_there) {
        break;
      }
      const Status added = search.Add(rows_.values());
      if (!added.ok()) {
        return rows_.Error(added.message());
      }
      KeepShownValues();
      if (search.rows() >= kRowsAtOnce) {
        WriteLines(search.Run());
      }
    }
    WriteLines(search.Run());
    return out_.flush() ? Status() : UnavailableError("the scores cannot be written");
  }

 private:
  Status WriteHeader() {
    std::vector<std::string> names = options_.columns;
    if (names.empty()) {
      for (const Catalogue& catalogue : catalogues_) {
        for (const std::string& name : {catalogue.key_column(), catalogue.id_column()}) {
          if (std::find(names.begin(), names.end(), name) == names.end()) {
            names.push_back(name);
          }
        }
      }
    }
    std::string line;
    for (const std::string& name : names) {
      AP_RETURN_IF_ERROR(Show(name));
      AppendCsvField(name, line);
      line.push_back(',');
    }
    for (const std::string& measure : scorer_.measures()) {
      AppendCsvField(measure, line);
      line.push_back(measure == scorer_.measures().back() ? '\n' : ',');
    }
    out_ << line;
    return Status();
  }

  Status Show(const std::string& name) {
    std::vector<std::string> known = rows_.columns();
    const int of_row = rows_.FindColumn(name);
    if (of_row >= 0) {
      shown_.push_back({-1, static_cast<size_t>(of_row)});
      return Status();
    }
    for (size_t c = 0; c < catalogues_.size(); ++c) {
      const std::vector<std::string>& columns = catalogues_[c].columns();
      const auto found = std::find(columns.begin(), columns.end(), name);
      if (found != columns.end()) {
        shown_.push_back({static_cast<int>(c), static_cast<size_t>(found - columns.begin())});
        return Status();
      }
      known.insert(known.end(), columns.begin(), columns.end());
    }
    return InvalidArgumentError("no column \"" + name + "\" to show, expected one of " +
                                Join(known, ", "));
  }

  // A row's text is gone when the next one is read.
  void KeepShownValues() {
    std::vector<std::string>& kept = kept_.emplace_back();
    for (const ShownColumn& shown : shown_) {
      kept.emplace_back(shown.catalogue < 0 ? rows_.values()[shown.column] : std::string_view());
    }
  }

  void WriteLines(const std::vector<BestCandidate>& best) {
    std::string lines;
    for (size_t i = 0; i < best.size(); ++i) {
      for (size_t s = 0; s < shown_.size(); ++s) {
        const ShownColumn& shown = shown_[s];
        AppendCsvField(shown.catalogue < 0
                           ? kept_[i][s]
                           : (*best[i].entries[static_cast<size_t>(shown.catalogue)])[shown.column],
                       lines);
        lines.push_back(',');
      }
      for (const float prediction : best[i].predictions) {
        AppendCsvNumber(prediction, lines);
        lines.push_back(',');
      }
      lines.back() = '\n';
    }
    out_ << lines;
    kept_.clear();
  }

  const ScoreFileOptions& options_;
  Scorer& scorer_;
  NamedRows rows_;
  std::vector<Catalogue> catalogues_;
  std::ostream& out_;
  std::vector<ShownColumn> shown_;
  std::vector<std::vector<std::string>> kept_;  // by row that waits: what is shown of it
};

}  // namespace

Status ScoreFile(const ScoreFileOptions& options, Scorer& scorer, FileSystem& fs,
                 std::ostream& out) {
  DataConfig data = scorer.model().job().data_config();
  if (options.is_plain_csv) {
    data.set_separator(",");
    data.set_with_header(true);
  }
  std::vector<Catalogue> catalogues;
  for (const std::string& path : options.catalogues) {
    AP_ASSIGN_OR_RETURN(Catalogue catalogue, Catalogue::Load(fs, path, data));
    catalogues.push_back(std::move(catalogue));
  }
  AP_ASSIGN_OR_RETURN(
      NamedRows rows,
      NamedRows::Open(fs, options.path, data,
                      catalogues.empty() ? NamedRows::Header::kOfJob : NamedRows::Header::kNeeded));
  return FileScorer(options, scorer, std::move(rows), std::move(catalogues), out).Run();
}

Status ScoreFileTo(const std::string& out_path, const ScoreFileOptions& options, Scorer& scorer,
                   FileSystem& fs) {
  if (out_path.empty()) {
    return ScoreFile(options, scorer, fs, std::cout);
  }
  const std::string temporary = out_path + ".tmp";
  std::ofstream out(temporary, std::ios::binary);
  if (!out) {
    return PermissionDeniedError("cannot create " + temporary);
  }
  Status status = ScoreFile(options, scorer, fs, out);
  out.close();
  if (!out) {
    status = ResourceExhaustedError("cannot write all of " + temporary + "; is the disk full?");
  }
  if (!status.ok()) {
    // A part of the scores helps nobody and may be what fills the disk.
    fs.Remove(temporary).IgnoreError();
    return status;
  }
  return fs.Rename(temporary, out_path);
}

}  // namespace antiphon
