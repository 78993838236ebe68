#include "tools/join/join_process.h"

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include "common/base/hash.h"
#include "common/base/logging.h"
#include "common/base/mutex.h"
#include "common/data/job_file.h"
#include "join/folder_sink.h"
#include "join/join_rules.h"
#include "join/join_run.h"
#include "join/sample_record.h"
#include "tools/join/folder_events.h"

namespace antiphon {
namespace {

constexpr uint64_t kMaxConfigBytes = 1 << 20;
constexpr Duration kLookAgainAfter = std::chrono::milliseconds(20);

// Keeps the first error of a parse.
class FirstError final : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, google::protobuf::io::ColumnNumber column,
                const std::string& message) override {
    if (text_.empty()) {
      text_ = std::to_string(line + 1) + ":" + std::to_string(column + 1) + ": " + message;
    }
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// Of everything that decides which samples come out of the same events.
uint64_t DigestOf(const DataConfig& data) {
  DataConfig decisive;
  *decisive.mutable_input_fields() = data.input_fields();
  decisive.set_separator(data.separator());
  *decisive.mutable_stream()->mutable_join() = data.stream().join();
  decisive.mutable_stream()->mutable_join()->clear_max_memory_bytes();
  decisive.mutable_stream()->mutable_join()->clear_idle_partition_seconds();
  return HashBytes(decisive.SerializeAsString());
}

// Lets a moment pass; nothing can be waited for in a folder.
void PauseFor(Duration duration) {
  Mutex mu;
  CondVar never;
  MutexLock lock(mu);
  never.WaitFor(mu, duration);
}

class JoinProcess {
 public:
  JoinProcess(const DataConfig& data, const JoinProcessOptions& options, JoinStore& store,
              FileSystem& fs, Clock& clock, const std::atomic<bool>& stop)
      : data_(data), options_(options), store_(store), fs_(fs), clock_(clock), stop_(stop) {}

  StatusOr<JoinCounts> Run() {
    AP_ASSIGN_OR_RETURN(const JoinRules rules, MakeJoinRules(data_.stream().join()));
    AP_ASSIGN_OR_RETURN(const SampleRecord format, SampleRecord::Create(data_, rules));
    AP_ASSIGN_OR_RETURN(std::vector<std::unique_ptr<EventReader>> readers, MakeReaders());
    AP_ASSIGN_OR_RETURN(const std::optional<std::string> header, WaitForHeader());
    if (!header.has_value()) {
      return JoinCounts();  // stopped before there was anything
    }
    FolderSink sink(options_.out, options_.with_header ? format.Header(*header) : "", fs_);
    const JoinRunOptions run_options = {
        .rules_digest = DigestOf(data_),
        .max_memory_bytes = data_.stream().join().max_memory_bytes(),
        .commit_every = options_.commit_every,
        .commit_samples = options_.commit_samples};
    AP_ASSIGN_OR_RETURN(
        const std::unique_ptr<JoinRun> run,
        JoinRun::Create(rules, format, run_options, std::move(readers), store_, sink, clock_));
    while (!stop_) {
      AP_ASSIGN_OR_RETURN(const JoinRun::Outcome outcome, run->Step());
      if (outcome == JoinRun::Outcome::kDone) {
        return run->counts();
      }
      if (outcome == JoinRun::Outcome::kNothing) {
        PauseFor(kLookAgainAfter);
      }
    }
    AP_RETURN_IF_ERROR(run->Commit());
    return run->counts();
  }

 private:
  StatusOr<std::vector<std::unique_ptr<EventReader>>> MakeReaders() {
    if (data_.stream().folder().path().empty()) {
      return InvalidArgumentError("stream.folder.path: is missing; name the folders of the events");
    }
    std::vector<std::unique_ptr<EventReader>> readers;
    for (const std::string& path : data_.stream().folder().path()) {
      AP_ASSIGN_OR_RETURN(std::unique_ptr<FolderEvents> reader,
                          FolderEvents::Create(data_, path, fs_, clock_));
      if (first_ == nullptr) {
        first_ = reader.get();
      }
      readers.push_back(std::move(reader));
    }
    return readers;
  }

  // The columns of the samples are those of the events, which the first segment names.
  StatusOr<std::optional<std::string>> WaitForHeader() {
    if (!data_.with_header()) {
      return std::optional<std::string>("");
    }
    bool is_told = false;
    while (!stop_) {
      AP_ASSIGN_OR_RETURN(std::optional<std::string> header, first_->FirstLine());
      if (header.has_value()) {
        return header;
      }
      if (!is_told) {
        LOG(INFO) << "waits for the first segment of " << first_->partition();
        is_told = true;
      }
      PauseFor(kLookAgainAfter);
    }
    return std::optional<std::string>();
  }

  const DataConfig& data_;
  const JoinProcessOptions& options_;
  JoinStore& store_;
  FileSystem& fs_;
  Clock& clock_;
  const std::atomic<bool>& stop_;
  FolderEvents* first_ = nullptr;  // of the readers
};

}  // namespace

StatusOr<DataConfig> LoadEventConfig(FileSystem& fs, const std::string& path) {
  AP_ASSIGN_OR_RETURN(const std::string text, ReadWholeFile(fs, path, kMaxConfigBytes));
  FirstError error;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  DataConfig data;
  if (!parser.ParseFromString(text, &data)) {
    return InvalidArgumentError(path + ":" + error.text() + "; expected the text of a data_config");
  }
  const size_t slash = path.find_last_of('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  for (std::string& events : *data.mutable_stream()->mutable_folder()->mutable_path()) {
    events = ResolvePath(folder, events);
  }
  return data;
}

StatusOr<JoinCounts> JoinUntilEnd(const DataConfig& data, const JoinProcessOptions& options,
                                  JoinStore& store, FileSystem& fs, Clock& clock,
                                  const std::atomic<bool>& stop) {
  return JoinProcess(data, options, store, fs, clock, stop).Run();
}

}  // namespace antiphon
