// Scores the lines of a file with an exported version:
//
//   serve_cpp VERSION FILE.csv
//   serve_cpp --follow VERSIONS FILE.csv
//
// The file begins with the names of its columns; it has no quotes. Predictions come as CSV, a
// column a task. With --follow the first argument is a directory of versions, each batch is scored
// by the newest, and standard error says where another one began.
#include <algorithm>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <antiphon/serving.h>

namespace {

namespace serving = antiphon::serving;

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

void PrintNames(const serving::Version& version) {
  for (size_t task = 0; task < version.tasks().size(); ++task) {
    std::cout << (task == 0 ? "" : ",") << version.tasks()[task];
  }
  std::cout << "\n";
}

void Print(serving::Scorer& scorer) {
  const size_t samples = scorer.samples();
  const auto& predictions = scorer.Score();
  for (size_t i = 0; i < samples; ++i) {
    for (size_t task = 0; task < predictions.size(); ++task) {
      std::cout << (task == 0 ? "" : ",") << predictions[task][i];
    }
    std::cout << "\n";
  }
}

// Places of the version's fields in a line; none when the header lacks one.
std::vector<size_t> FindColumns(const std::vector<std::string>& fields, std::string_view header,
                                std::string& missing) {
  const std::vector<std::string_view> names = SplitLine(header);
  std::vector<size_t> columns;
  for (const std::string& field : fields) {
    const auto found = std::find(names.begin(), names.end(), field);
    if (found == names.end()) {
      missing = field;
      return {};
    }
    columns.push_back(static_cast<size_t>(found - names.begin()));
  }
  return columns;
}

// Where versions come from: always the same, or the newest of a directory.
class Source {
 public:
  // What went wrong; empty when all is well.
  std::string Open(const std::string& path, bool follow) {
    std::string error;
    if (follow) {
      follower_ = serving::Follower::Open(path, /*refresh_ms=*/200, &error);
      reader_ = follower_ == nullptr ? nullptr : std::make_unique<serving::Reader>(*follower_);
    } else {
      fixed_ = serving::Version::Open(path, &error);
    }
    return error;
  }
  const serving::Version& newest() { return reader_ == nullptr ? *fixed_ : *reader_->current(); }

 private:
  std::unique_ptr<serving::Version> fixed_;
  std::unique_ptr<serving::Follower> follower_;
  std::unique_ptr<serving::Reader> reader_;  // of the follower
};

// Scores all lines. Empty, or what went wrong.
std::string ScoreLines(Source& source, std::istream& file) {
  constexpr size_t kBatch = 256;
  std::string header;
  std::getline(file, header);
  std::string error;
  const std::vector<size_t> columns = FindColumns(source.newest().fields(), header, error);
  if (!error.empty()) {
    return "the file has no column " + error;
  }
  const auto scorer = serving::Scorer::Create(source.newest(), &error);
  if (scorer == nullptr) {
    return error;
  }
  uint64_t number = source.newest().number();
  PrintNames(source.newest());
  std::vector<std::string_view> texts(columns.size());
  for (std::string line; std::getline(file, line);) {
    const std::vector<std::string_view> values = SplitLine(line);
    for (size_t i = 0; i < columns.size(); ++i) {
      texts[i] = columns[i] < values.size() ? values[columns[i]] : std::string_view();
    }
    if (!scorer->Add(texts, &error)) {
      return error;
    }
    if (scorer->samples() < kBatch) {
      continue;
    }
    Print(*scorer);
    const serving::Version& version = source.newest();
    if (version.number() != number) {
      number = version.number();
      std::cerr << "serve_cpp: version " << number << " from here on\n";
    }
    if (!scorer->Use(version, &error)) {
      return error;
    }
  }
  Print(*scorer);
  return "";
}

}  // namespace

int main(int argc, char** argv) {
  const bool follow = argc == 4 && std::string_view(argv[1]) == "--follow";
  if (argc != 3 && !follow) {
    return Fail(
        "expected a version, or --follow and a directory of versions, and a file of samples");
  }
  Source source;
  const std::string closed = source.Open(argv[argc - 2], follow);
  if (!closed.empty()) {
    return Fail(closed);
  }
  std::ifstream file(argv[argc - 1]);
  std::cout.precision(9);
  const std::string failed = ScoreLines(source, file);
  return failed.empty() ? 0 : Fail(failed);
}
