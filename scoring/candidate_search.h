// CandidateSearch: of everything that a request may be shown with, what the model likes best.
//
// A request is a row of text: user, context, host. Each catalogue adds one part, such as a text and
// an avatar of that host; the candidates are all combinations of one entry of each, and the best is
// the one for which a task's prediction is highest, the first of equals. Without a catalogue a
// request is its only candidate. Owned by one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "scoring/catalogue.h"
#include "scoring/scorer.h"

namespace antiphon {

struct BestCandidate {
  std::vector<const Catalogue::Entry*> entries;  // by catalogue
  std::vector<float> predictions;                // by measure of the scorer
};

class CandidateSearch {
 public:
  // `request_columns` are the columns of a request; `task` is a measure of the scorer, or empty for
  // the first. Fails when a column that the model reads is in none of them or in two. What is given
  // outlives the search.
  static StatusOr<CandidateSearch> Create(Scorer& scorer, std::span<const Catalogue> catalogues,
                                          std::span<const std::string> request_columns,
                                          const std::string& task);

  // Adds a request, given by column. After an error the search is of no more use.
  Status Add(std::span<const std::string_view> request);
  // Candidates of the requests that were added.
  uint32_t rows() const { return scorer_.rows(); }

  // One for each request that was added, in order; then there are none.
  std::vector<BestCandidate> Run();

 private:
  // Where the text of an input field comes from.
  struct Source {
    uint32_t field = 0;
    int catalogue = -1;  // -1: the request
    size_t column = 0;
  };
  struct Request {
    uint32_t first_row = 0;
    std::vector<std::span<const Catalogue::Entry>> choices;  // by catalogue
  };

  CandidateSearch(Scorer& scorer, std::span<const Catalogue> catalogues)
      : scorer_(scorer), catalogues_(catalogues) {}

  Status FindSources(std::span<const std::string> request_columns);
  Status FindKeys(std::span<const std::string> request_columns);
  Status FindTask(const std::string& task);
  StatusOr<Source> FindSource(uint32_t field, std::span<const std::string> request_columns) const;
  // Entry of each catalogue in combination number `combination`.
  static std::vector<const Catalogue::Entry*> EntriesOf(const Request& request, size_t combination);

  Scorer& scorer_;
  std::span<const Catalogue> catalogues_;
  size_t task_ = 0;
  std::vector<Source> sources_;
  std::vector<size_t> key_columns_;       // by catalogue: of the request
  std::vector<std::string_view> values_;  // by input field, of the candidate at hand
  std::vector<Request> requests_;
};

}  // namespace antiphon
