#include "scoring/candidate_search.h"

#include <algorithm>

#include "common/base/text.h"

namespace antiphon {
namespace {

int PlaceOf(const std::string& name, std::span<const std::string> names) {
  const auto found = std::find(names.begin(), names.end(), name);
  return found == names.end() ? -1 : static_cast<int>(found - names.begin());
}

std::string DidYouMean(const std::string& name, std::span<const std::string> names) {
  const std::string nearest = NearestName(name, names);
  return nearest.empty() ? "" : "; did you mean \"" + nearest + "\"?";
}

size_t CombinationsOf(std::span<const std::span<const Catalogue::Entry>> choices) {
  size_t combinations = 1;
  for (const std::span<const Catalogue::Entry> entries : choices) {
    combinations *= entries.size();
  }
  return combinations;
}

}  // namespace

StatusOr<CandidateSearch> CandidateSearch::Create(Scorer& scorer,
                                                  std::span<const Catalogue> catalogues,
                                                  std::span<const std::string> request_columns,
                                                  const std::string& task) {
  CandidateSearch search(scorer, catalogues);
  AP_RETURN_IF_ERROR(search.FindKeys(request_columns));
  AP_RETURN_IF_ERROR(search.FindSources(request_columns));
  AP_RETURN_IF_ERROR(search.FindTask(task));
  return search;
}

Status CandidateSearch::FindKeys(std::span<const std::string> request_columns) {
  for (const Catalogue& catalogue : catalogues_) {
    const int column = PlaceOf(catalogue.key_column(), request_columns);
    if (column < 0) {
      return InvalidArgumentError(catalogue.path() + ":1: the first column, \"" +
                                  catalogue.key_column() +
                                  "\", is no column of the requests, expected one that names what "
                                  "the entries belong to" +
                                  DidYouMean(catalogue.key_column(), request_columns));
    }
    key_columns_.push_back(static_cast<size_t>(column));
  }
  return Status();
}

Status CandidateSearch::FindSources(std::span<const std::string> request_columns) {
  for (const uint32_t field : scorer_.used_fields()) {
    AP_ASSIGN_OR_RETURN(const Source source, FindSource(field, request_columns));
    sources_.push_back(source);
  }
  values_.resize(static_cast<size_t>(scorer_.model().job().data_config().input_fields_size()));
  return Status();
}

StatusOr<CandidateSearch::Source> CandidateSearch::FindSource(
    uint32_t field, std::span<const std::string> request_columns) const {
  const std::string& name =
      scorer_.model().job().data_config().input_fields(static_cast<int>(field)).input_name();
  std::vector<Source> found;
  std::vector<std::string> known(request_columns.begin(), request_columns.end());
  const int of_request = PlaceOf(name, request_columns);
  if (of_request >= 0) {
    found.push_back({field, -1, static_cast<size_t>(of_request)});
  }
  for (size_t c = 0; c < catalogues_.size(); ++c) {
    // The key is the request's.
    const std::span<const std::string> own = std::span(catalogues_[c].columns()).subspan(1);
    const int column = PlaceOf(name, own);
    if (column >= 0) {
      found.push_back({field, static_cast<int>(c), static_cast<size_t>(column) + 1});
    }
    known.insert(known.end(), own.begin(), own.end());
  }
  if (found.empty()) {
    return InvalidArgumentError(
        "no column \"" + name + "\", which the model reads, in " +
        (catalogues_.empty() ? "the rows to score" : "the requests or a catalogue") +
        DidYouMean(name, known));
  }
  if (found.size() > 1) {
    return InvalidArgumentError(
        catalogues_[static_cast<size_t>(found[1].catalogue)].path() + ":1: column \"" + name +
        "\" is also in the requests or another catalogue, expected it once");
  }
  return found.front();
}

Status CandidateSearch::FindTask(const std::string& task) {
  const std::vector<std::string>& measures = scorer_.measures();
  const int found = task.empty() ? 0 : PlaceOf(task, measures);
  if (found < 0) {
    return InvalidArgumentError("the model predicts no \"" + task + "\", expected one of " +
                                Join(measures, ", "));
  }
  task_ = static_cast<size_t>(found);
  return Status();
}

Status CandidateSearch::Add(std::span<const std::string_view> request) {
  Request& added = requests_.emplace_back();
  added.first_row = scorer_.rows();
  for (size_t c = 0; c < catalogues_.size(); ++c) {
    const std::string_view key = request[key_columns_[c]];
    added.choices.push_back(catalogues_[c].Find(key));
    if (added.choices.back().empty()) {
      return DataLossError("column \"" + catalogues_[c].key_column() + "\": \"" + std::string(key) +
                           "\" has no line in " + catalogues_[c].path());
    }
  }
  const size_t combinations = CombinationsOf(added.choices);
  for (size_t i = 0; i < combinations; ++i) {
    const std::vector<const Catalogue::Entry*> entries = EntriesOf(added, i);
    for (const Source& source : sources_) {
      values_[source.field] =
          source.catalogue < 0
              ? request[source.column]
              : std::string_view((*entries[static_cast<size_t>(source.catalogue)])[source.column]);
    }
    AP_RETURN_IF_ERROR(scorer_.Add(values_));
  }
  return Status();
}

std::vector<const Catalogue::Entry*> CandidateSearch::EntriesOf(const Request& request,
                                                                size_t combination) {
  std::vector<const Catalogue::Entry*> entries;
  for (const std::span<const Catalogue::Entry> choices : request.choices) {
    entries.push_back(&choices[combination % choices.size()]);
    combination /= choices.size();
  }
  return entries;
}

std::vector<BestCandidate> CandidateSearch::Run() {
  if (requests_.empty()) {
    return {};
  }
  const std::vector<std::vector<float>>& predictions = scorer_.Run();
  std::vector<BestCandidate> best;
  for (const Request& request : requests_) {
    const float* const first = predictions[task_].data() + request.first_row;
    const float* const highest = std::max_element(first, first + CombinationsOf(request.choices));
    const auto combination = static_cast<size_t>(highest - first);
    BestCandidate& chosen = best.emplace_back();
    chosen.entries = EntriesOf(request, combination);
    for (const std::vector<float>& of_measure : predictions) {
      chosen.predictions.push_back(of_measure[request.first_row + combination]);
    }
  }
  requests_.clear();
  return best;
}

}  // namespace antiphon
