#include "stream/config_file.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include "common/data/job_file.h"

namespace antiphon {
namespace {

constexpr uint64_t kMaxConfigBytes = 1 << 20;

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

Status Load(FileSystem& fs, const std::string& path, const std::string& what,
            google::protobuf::Message& config) {
  AP_ASSIGN_OR_RETURN(const std::string text, ReadWholeFile(fs, path, kMaxConfigBytes));
  FirstError error;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  if (!parser.ParseFromString(text, &config)) {
    return InvalidArgumentError(path + ":" + error.text() + "; expected the text of a " + what);
  }
  return Status();
}

void ResolveFolders(const std::string& path, StreamConfig& stream) {
  const size_t slash = path.find_last_of('/');
  const std::string here = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  if (stream.has_folder()) {
    for (std::string& folder : *stream.mutable_folder()->mutable_path()) {
      folder = ResolvePath(here, folder);
    }
  }
}

}  // namespace

StatusOr<DataConfig> LoadDataConfig(FileSystem& fs, const std::string& path) {
  DataConfig data;
  AP_RETURN_IF_ERROR(Load(fs, path, "data_config", data));
  ResolveFolders(path, *data.mutable_stream());
  return data;
}

StatusOr<StreamConfig> LoadStreamConfig(FileSystem& fs, const std::string& path) {
  StreamConfig stream;
  AP_RETURN_IF_ERROR(Load(fs, path, "data_config.stream", stream));
  ResolveFolders(path, stream);
  return stream;
}

}  // namespace antiphon
