#include "serving/export/outside_scorer.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <string_view>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

#include "common/base/text.h"
#include "scoring/named_rows.h"

namespace antiphon {
namespace {

constexpr char kScores[] = ".scores.csv";
constexpr char kWords[] = ".stderr";
constexpr uint64_t kMaxWordsBytes = 64 << 20;
constexpr size_t kShownWords = 500;

// The last of what the command said on its standard error.
std::string LastWords(FileSystem& fs, const std::string& prefix) {
  const StatusOr<std::string> text = ReadWholeFile(fs, prefix + kWords, kMaxWordsBytes);
  const std::string_view words = text.ok() ? Trim(*text) : std::string_view();
  if (words.empty()) {
    return "it said nothing on standard error";
  }
  return "its last words: " +
         std::string(words.substr(words.size() - std::min(words.size(), kShownWords)));
}

// In a process group of its own, with both outputs in files. Returns its id.
StatusOr<pid_t> Spawn(const OutsideScorer& scorer) {
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  constexpr int kWrite = O_WRONLY | O_CREAT | O_TRUNC;
  const std::string scores = scorer.prefix + kScores;
  const std::string words = scorer.prefix + kWords;
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, scores.c_str(), kWrite, 0666);
  posix_spawn_file_actions_addopen(&files, STDERR_FILENO, words.c_str(), kWrite, 0666);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&attributes, 0);
  std::vector<std::string> words_of_call = {"/bin/sh",
                                            "-c",
                                            scorer.command + " \"$@\"",
                                            "sh",
                                            "--model=" + scorer.version,
                                            "--samples=" + scorer.samples};
  std::vector<char*> arguments;
  arguments.reserve(words_of_call.size() + 1);
  for (std::string& word : words_of_call) {
    arguments.push_back(word.data());
  }
  arguments.push_back(nullptr);
  pid_t pid = 0;
  const int error = posix_spawn(&pid, "/bin/sh", &files, &attributes, arguments.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  if (error != 0) {
    return FailedPreconditionError("it cannot be started: " +
                                   std::generic_category().message(error));
  }
  return pid;
}

// Its wait status; a command that is not over at the deadline is killed.
StatusOr<int> Await(pid_t pid, Duration deadline) {
  const auto descriptor = static_cast<int>(syscall(SYS_pidfd_open, pid, 0U));
  SystemClock clock;  // by which processes live
  const Time end = clock.Now() + deadline;
  bool is_over = false;
  while (descriptor >= 0 && !is_over) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - clock.Now());
    if (left.count() <= 0) {
      break;
    }
    pollfd waited = {.fd = descriptor, .events = POLLIN, .revents = 0};
    const int ready = poll(&waited, 1, static_cast<int>(std::min<int64_t>(left.count(), 1 << 30)));
    is_over = ready > 0;
  }
  if (descriptor >= 0) {
    close(descriptor);
  }
  if (!is_over) {
    kill(-pid, SIGKILL);
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!is_over) {
    return DeadlineExceededError("it was not done after " +
                                 FormatSeconds(SecondsBetween(Time(), Time(deadline))) +
                                 " and was killed");
  }
  return status;
}

Status Run(FileSystem& fs, const OutsideScorer& scorer) {
  AP_ASSIGN_OR_RETURN(const pid_t pid, Spawn(scorer));
  AP_ASSIGN_OR_RETURN(const int status, Await(pid, scorer.deadline));
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
    return Status();
  }
  const std::string how = WIFEXITED(status)
                              ? "it exited with " + std::to_string(WEXITSTATUS(status))
                              : "signal " + std::to_string(WTERMSIG(status)) + " ended it";
  return FailedPreconditionError(how + "; " + LastWords(fs, scorer.prefix));
}

StatusOr<float> ParseScore(std::string_view text) {
  float score = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), score);
  if (error != std::errc() || end != text.data() + text.size()) {
    return InvalidArgumentError("\"" + std::string(text) + "\" is no number");
  }
  return score;
}

StatusOr<std::vector<std::vector<float>>> ReadScores(FileSystem& fs, const std::string& path,
                                                     const std::vector<std::string>& measures) {
  AP_ASSIGN_OR_RETURN(NamedRows rows,
                      NamedRows::Open(fs, path, DataConfig(), NamedRows::Header::kNeeded));
  std::vector<size_t> columns;
  for (const std::string& measure : measures) {
    const int column = rows.FindColumn(measure);
    if (column < 0) {
      return InvalidArgumentError("it printed no column \"" + measure + "\", only " +
                                  Join(rows.columns(), ", "));
    }
    columns.push_back(static_cast<size_t>(column));
  }
  std::vector<std::vector<float>> scores(measures.size());
  while (true) {
    AP_ASSIGN_OR_RETURN(const bool is_there, rows.Next());
    if (!is_there) {
      return scores;
    }
    for (size_t m = 0; m < measures.size(); ++m) {
      const StatusOr<float> score = ParseScore(Trim(rows.values()[columns[m]]));
      if (!score.ok()) {
        return rows.Error("column " + measures[m] + ": " + score.status().message());
      }
      scores[m].push_back(*score);
    }
  }
}

}  // namespace

StatusOr<std::vector<std::vector<float>>> RunOutsideScorer(
    FileSystem& fs, const OutsideScorer& scorer, const std::vector<std::string>& measures) {
  const std::string name = "scorer \"" + scorer.command + "\"";
  AP_RETURN_IF_ERROR(Run(fs, scorer).WithContext(name));
  StatusOr<std::vector<std::vector<float>>> scores =
      ReadScores(fs, scorer.prefix + kScores, measures);
  if (!scores.ok()) {
    return FailedPreconditionError(name + ": " + std::string(scores.status().message()));
  }
  return scores;
}

void RemoveOutputOf(FileSystem& fs, const std::string& prefix) {
  for (const char* name : {kScores, kWords}) {
    fs.Remove(prefix + name).IgnoreError();
  }
}

}  // namespace antiphon
