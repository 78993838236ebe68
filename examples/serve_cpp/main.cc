// Scores the lines of a file with an exported version:
//
//   serve_cpp VERSION FILE.csv
//
// The file begins with the names of its columns; it has no quotes. Predictions come as CSV, a
// column a task.
#include <algorithm>
#include <fstream>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include <antiphon/serving.h>

namespace {

std::vector<std::string_view> SplitLine(std::string_view line) {
  std::vector<std::string_view> fields;
  for (size_t begin = 0; begin <= line.size();) {
    const size_t end = std::min(line.find(',', begin), line.size());
    fields.push_back(line.substr(begin, end - begin));
    begin = end + 1;
  }
  return fields;
}

int Fail(const std::string& why) {
  std::cerr << "serve_cpp: error: " << why << "\n";
  return 1;
}

void Print(antiphon::serving::Scorer& scorer) {
  const size_t samples = scorer.samples();
  const auto& predictions = scorer.Score();
  for (size_t i = 0; i < samples; ++i) {
    for (size_t task = 0; task < predictions.size(); ++task) {
      std::cout << (task == 0 ? "" : ",") << predictions[task][i];
    }
    std::cout << "\n";
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    return Fail("expected a version and a file of samples");
  }
  std::string error;
  const auto version = antiphon::serving::Version::Open(argv[1], &error);
  if (version == nullptr) {
    return Fail(error);
  }
  const auto scorer = antiphon::serving::Scorer::Create(*version, &error);
  if (scorer == nullptr) {
    return Fail(error);
  }
  std::ifstream file(argv[2]);
  std::string header;
  std::getline(file, header);
  const std::vector<std::string_view> names = SplitLine(header);
  std::vector<size_t> columns;  // by field
  for (const std::string& field : version->fields()) {
    const auto found = std::find(names.begin(), names.end(), field);
    if (found == names.end()) {
      return Fail("the file has no column " + field);
    }
    columns.push_back(static_cast<size_t>(found - names.begin()));
  }
  std::cout.precision(9);
  for (size_t task = 0; task < version->tasks().size(); ++task) {
    std::cout << (task == 0 ? "" : ",") << version->tasks()[task];
  }
  std::cout << "\n";
  constexpr size_t kBatch = 256;
  std::vector<std::string_view> texts(columns.size());
  for (std::string line; std::getline(file, line);) {
    const std::vector<std::string_view> values = SplitLine(line);
    for (size_t i = 0; i < columns.size(); ++i) {
      texts[i] = columns[i] < values.size() ? values[columns[i]] : std::string_view();
    }
    if (!scorer->Add(texts, &error)) {
      return Fail(error);
    }
    if (scorer->samples() == kBatch) {
      Print(*scorer);
    }
  }
  Print(*scorer);
  return 0;
}
