// The main of a fuzz target that is not built for libFuzzer: tries the inputs it is given, files or
// folders of files, and then seeded mutations of them. The input that is being tried lies in
// PROGRAM.last_input, so that one that stops the process can be given to it again.

#include <algorithm>
#include <cstdint>
#include <fcntl.h>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

#include "common/base/file_system.h"
#include "common/base/logging.h"
#include "common/base/rng.h"
#include "common/base/text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace antiphon {
namespace {

constexpr uint64_t kMaxInputBytes = 1 << 20;
constexpr uint64_t kSeed = 20240229;

class Replay {
 public:
  explicit Replay(const std::string& program)
      : last_input_(program + ".last_input"),
        fd_(::open(last_input_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644)) {}
  ~Replay() {
    ::close(fd_);
    ::unlink(last_input_.c_str());
  }
  Replay(const Replay&) = delete;
  Replay& operator=(const Replay&) = delete;

  void Try(const std::string& input) const {
    CHECK(::ftruncate(fd_, 0) == 0 &&
          ::pwrite(fd_, input.data(), input.size(), 0) == static_cast<ssize_t>(input.size()))
        << "cannot write " << last_input_;
    LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size());
  }

 private:
  const std::string last_input_;
  const int fd_;
};

// One small change: what a decoder must stand is mostly near to what is right.
void Mutate(Rng& rng, const std::vector<std::string>& corpus, std::string* input) {
  const size_t at = rng.Below(input->size() + 1);
  const size_t count = 1 + rng.Below(16);
  switch (rng.Below(6)) {
    case 0:
      if (at < input->size()) {
        (*input)[at] = static_cast<char>((*input)[at] ^ (1 << rng.Below(8)));
      }
      return;
    case 1:
      if (at < input->size()) {  // the numbers that lengths go wrong at
        constexpr std::string_view kEdges("\x00\x01\x7f\x80\xff", 5);
        (*input)[at] = kEdges[rng.Below(kEdges.size())];
      }
      return;
    case 2:
      input->erase(at, count);
      return;
    case 3:
      input->insert(at, count, static_cast<char>(rng.Next()));
      return;
    case 4:
      input->resize(at);
      return;
    default: {
      const std::string& other = corpus[rng.Below(corpus.size())];
      input->replace(at, std::string::npos, other.substr(rng.Below(other.size() + 1)));
    }
  }
}

Status ReadInputs(FileSystem& fs, const std::string& path, std::vector<std::string>* inputs) {
  std::vector<std::string> files = {path};
  if (fs.IsDirectory(path)) {
    AP_ASSIGN_OR_RETURN(files, fs.List(path));
    for (std::string& file : files) {
      file.insert(0, path + "/");
    }
  }
  for (const std::string& file : files) {
    AP_ASSIGN_OR_RETURN(std::string input, ReadWholeFile(fs, file, kMaxInputBytes));
    inputs->push_back(std::move(input));
  }
  return Status();
}

int Main(const std::vector<std::string>& arguments) {
  constexpr std::string_view kMutations = "--mutations=";
  PosixFileSystem fs;
  std::vector<std::string> corpus;
  uint64_t mutations = 0;
  for (size_t i = 1; i < arguments.size(); ++i) {
    if (arguments[i].starts_with(kMutations)) {
      mutations = ParseUint(arguments[i].substr(kMutations.size())).value_or(0);
    } else if (const Status status = ReadInputs(fs, arguments[i], &corpus); !status.ok()) {
      std::cerr << status << "\n";
      return 2;
    }
  }
  if (corpus.empty()) {
    std::cerr << "usage: " << arguments[0] << " [--mutations=N] FILE_OR_FOLDER...\n";
    return 2;
  }
  const Replay replay(arguments[0]);
  for (const std::string& input : corpus) {
    replay.Try(input);
  }
  Rng rng(kSeed);
  for (uint64_t i = 0; i < mutations; ++i) {
    std::string input = corpus[rng.Below(corpus.size())];
    for (uint64_t changes = 1 + rng.Below(4); changes > 0; --changes) {
      Mutate(rng, corpus, &input);
    }
    replay.Try(input);
  }
  std::cout << corpus.size() << " inputs and " << mutations << " mutations of them\n";
  return 0;
}

}  // namespace
}  // namespace antiphon

int main(int argc, char** argv) {
  return antiphon::Main(std::vector<std::string>(argv, argv + argc));
}
