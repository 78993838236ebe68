#include "stream/data_plan.h"

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>

#include "common/base/text.h"
#include "common/data/feature_columns.h"
#include "common/data/job_file.h"
#include "common/data/label_expression.h"
#include "stream/csv_columns.h"
#include "stream/feature_fitter.h"
#include "stream/input_files.h"
#include "stream/record_decoder.h"
#include "stream/record_reader.h"

namespace antiphon {
namespace {

constexpr uint64_t kMaxPartitions = 1'000'000;
constexpr uint64_t kMaxVocabularyFileBytes = 256 << 20;

// The fitters of a job and the fields that they look at.
class FitPass {
 public:
  explicit FitPass(const Job& job)
      : data_(job.data_config()),
        uses_(static_cast<size_t>(data_.input_fields_size())),
        row_(uses_.size()) {
    for (int i = 0; i < job.feature_config().features_size(); ++i) {
      const FeatureConfig& config = job.feature_config().features(i);
      if (NeedsFitting(config)) {
        const int field = FindInputField(data_, config.input_names(0));
        fitted_.push_back({static_cast<uint32_t>(i), static_cast<uint32_t>(field),
                           std::make_unique<FeatureFitter>(config)});
        FieldUse& use = uses_[static_cast<size_t>(field)];
        (IsCategorical(config) ? use.as_texts : use.as_numbers) = true;
      }
    }
  }

  bool is_needed() const { return !fitted_.empty(); }
  const std::vector<FieldUse>& uses() const { return uses_; }

  // A record that cannot be decoded teaches nothing.
  Status Observe(std::string_view record, RecordDecoder& decoder) {
    if (decoder.Decode(record, row_) != BadRowReason::kNone) {
      return Status();
    }
    for (const Fitted& fitted : fitted_) {
      if (!row_.lists[fitted.field].empty()) {
        AP_RETURN_IF_ERROR(fitted.fitter->Observe(row_.lists[fitted.field]));
        continue;
      }
      std::string_view value = row_.values[fitted.field];
      if (value.empty()) {
        value = data_.input_fields(static_cast<int>(fitted.field)).default_val();
      }
      AP_RETURN_IF_ERROR(fitted.fitter->Observe(value));
    }
    return Status();
  }

  Status Finish(std::vector<FeatureStatistics>& statistics) const {
    for (const Fitted& fitted : fitted_) {
      AP_RETURN_IF_ERROR(fitted.fitter->Finish(statistics[fitted.feature]));
    }
    return Status();
  }

 private:
  struct Fitted {
    uint32_t feature = 0;
    uint32_t field = 0;
    std::unique_ptr<FeatureFitter> fitter;
  };

  const DataConfig& data_;
  std::vector<Fitted> fitted_;
  std::vector<FieldUse> uses_;
  DecodedRow row_;
};

// The fields that computed labels read.
void AddLabelFields(const DataConfig& data, std::vector<uint32_t>& fields) {
  std::vector<std::string> names;
  for (const InputField& field : data.input_fields()) {
    names.push_back(field.input_name());
  }
  for (const Label& label : data.labels()) {
    for (const std::string& text : {label.expression(), label.known_if()}) {
      const StatusOr<LabelExpression> expression = LabelExpression::Parse(text, names);
      if (expression.ok()) {  // an absent known_if is no expression
        const std::vector<uint32_t> more = expression->Fields();
        fields.insert(fields.end(), more.begin(), more.end());
      }
    }
  }
}

// Every field that training will read, so that a header that lacks one is found now.
std::vector<uint32_t> UsedFields(const Job& job) {
  const DataConfig& data = job.data_config();
  std::vector<std::string> names = {data.label_fields().begin(), data.label_fields().end()};
  for (const FeatureConfig& feature : job.feature_config().features()) {
    names.push_back(feature.input_names(0));
  }
  for (const std::string& name :
       {data.sample_weight(), data.scene_field(), data.time_field(), data.request_field()}) {
    names.push_back(name);
  }
  for (const Metric& metric : job.eval_config().metrics_set()) {
    names.push_back(metric.gauc().uid_field());
  }
  std::vector<uint32_t> fields;
  for (const std::string& name : names) {
    const int field = FindInputField(data, name);
    if (field >= 0) {
      fields.push_back(static_cast<uint32_t>(field));
    }
  }
  AddLabelFields(data, fields);
  return fields;
}

// Which records belong together: those of one request, one behind the other. Without a request
// field each is alone.
class RequestEdges {
 public:
  static StatusOr<RequestEdges> Create(const DataConfig& data, const RecordReader& reader) {
    const int field = data.has_request_field() ? FindInputField(data, data.request_field()) : -1;
    std::vector<FieldUse> uses(static_cast<size_t>(data.input_fields_size()));
    if (field >= 0) {
      uses[static_cast<size_t>(field)].as_text = true;
    }
    AP_ASSIGN_OR_RETURN(std::unique_ptr<RecordDecoder> decoder,
                        MakeRecordDecoder(data, uses, reader.path(), reader.header()));
    return RequestEdges(std::move(decoder), field, uses.size());
  }

  // To be asked of every record in turn: whether it goes on with the request of the one before it.
  bool Continues(const Record& record) {
    if (field_ < 0 || record.reason != BadRowReason::kNone ||
        decoder_->Decode(record.text, row_) != BadRowReason::kNone) {
      return false;
    }
    const std::string_view request = row_.values[static_cast<size_t>(field_)];
    const bool continues = request == last_;
    last_ = request;
    return continues;
  }

 private:
  RequestEdges(std::unique_ptr<RecordDecoder> decoder, int field, size_t field_count)
      : decoder_(std::move(decoder)), field_(field), row_(field_count) {}

  std::unique_ptr<RecordDecoder> decoder_;
  int field_;  // the request field, or -1
  DecodedRow row_;
  std::string last_;
};

// Reads one file, cuts it, and shows its records to `fit` when there is one.
StatusOr<std::vector<Partition>> CutFile(const Job& job, const std::string& folder,
                                         const std::string& path, FileSystem& fs, FitPass* fit) {
  const DataConfig& data = job.data_config();
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<RecordReader> reader,
                      RecordReader::Open(fs, ResolvePath(folder, path), RecordFormatOf(data)));
  if (data.input_type() == DataConfig::CSVInput) {
    AP_RETURN_IF_ERROR(
        CsvColumns::Create(data, UsedFields(job), reader->path(), reader->header()).status());
  }
  const std::vector<FieldUse> no_uses(static_cast<size_t>(data.input_fields_size()));
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<RecordDecoder> decoder,
                      MakeRecordDecoder(data, fit == nullptr ? no_uses : fit->uses(),
                                        reader->path(), reader->header()));
  AP_ASSIGN_OR_RETURN(RequestEdges requests, RequestEdges::Create(data, *reader));
  std::vector<Partition> partitions;
  Record record;
  while (true) {
    const uint64_t offset = reader->next_offset();
    const uint64_t number = reader->next_record();
    AP_ASSIGN_OR_RETURN(const bool is_there, reader->Next(record));
    if (!is_there) {
      break;
    }
    const bool continues = requests.Continues(record);
    const uint64_t size = partitions.empty() ? 0 : number - partitions.back().begin_record();
    if (partitions.empty() || size >= (continues ? 2 : 1) * uint64_t{data.partition_size()}) {
      Partition& partition = partitions.emplace_back();
      partition.set_path(path);
      partition.set_begin_record(number);
      if (reader->can_seek()) {
        partition.set_begin_offset(offset);
      }
    }
    partitions.back().set_end_record(number + 1);
    if (fit != nullptr && record.reason == BadRowReason::kNone) {
      AP_RETURN_IF_ERROR(fit->Observe(record.text, *decoder));
    }
  }
  if (partitions.empty()) {
    return InvalidArgumentError(reader->path() + ": has no records, expected at least one");
  }
  return partitions;
}

StatusOr<std::vector<Partition>> CutFiles(const Job& job, const std::string& folder,
                                          const std::vector<std::string>& paths, FileSystem& fs,
                                          FitPass* fit) {
  std::vector<Partition> all;
  for (const std::string& path : paths) {
    AP_ASSIGN_OR_RETURN(const std::vector<Partition> some, CutFile(job, folder, path, fs, fit));
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

uint64_t CountRecords(const std::vector<Partition>& partitions) {
  uint64_t count = 0;
  for (const Partition& partition : partitions) {
    count += partition.end_record() - partition.begin_record();
  }
  return count;
}

void AddStage(const std::vector<Partition>& pieces, Partition::Kind kind, uint32_t epoch,
              std::vector<Partition>& partitions) {
  for (Partition partition : pieces) {
    partition.set_kind(kind);
    partition.set_epoch(epoch);
    partition.set_stage(2 * epoch + (kind == Partition::EVAL ? 1 : 0));
    partitions.push_back(std::move(partition));
  }
}

Status CheckPartitionCount(const Job& job, size_t train, size_t eval) {
  const uint64_t count = (train + eval) * uint64_t{job.data_config().num_epochs()};
  if (count > kMaxPartitions) {
    return InvalidArgumentError(
        "data_config.partition_size: " + std::to_string(job.data_config().partition_size()) +
        " cuts the data of all epochs into " + std::to_string(count) +
        " partitions, expected at most " + std::to_string(kMaxPartitions) + "; make it larger");
  }
  return Status();
}

}  // namespace

Status ReadVocabularyFiles(const Job& job, const std::string& folder, FileSystem& fs,
                           std::vector<FeatureStatistics>& statistics) {
  for (int i = 0; i < job.feature_config().features_size(); ++i) {
    const FeatureConfig& feature = job.feature_config().features(i);
    if (!feature.has_vocab_file()) {
      continue;
    }
    const std::string path = ResolvePath(folder, feature.vocab_file());
    AP_ASSIGN_OR_RETURN(const std::string text, ReadWholeFile(fs, path, kMaxVocabularyFileBytes));
    for (const std::string_view line : Split(text, "\n")) {
      const std::string_view value = line.ends_with('\r') ? line.substr(0, line.size() - 1) : line;
      if (!value.empty()) {
        statistics[static_cast<size_t>(i)].add_vocabulary(std::string(value));
      }
    }
    if (statistics[static_cast<size_t>(i)].vocabulary().empty()) {
      return InvalidArgumentError(path + ": has no values, expected one a line");
    }
  }
  return Status();
}

StatusOr<DataPlan> PlanData(const Job& job, const std::string& folder, FileSystem& fs,
                            const std::vector<Partition>& streams) {
  DataPlan plan;
  for (const FeatureConfig& feature : job.feature_config().features()) {
    plan.features.emplace_back().set_feature_name(std::string(FeatureName(feature)));
  }
  const EvalConfig::When when = job.eval_config().when();
  AP_ASSIGN_OR_RETURN(const std::vector<std::string> train_files,
                      FindInputFiles(fs, folder, "train_input_path", job.train_input_path()));
  std::vector<std::string> eval_files;
  if (when != EvalConfig::NEVER) {
    AP_ASSIGN_OR_RETURN(eval_files,
                        FindInputFiles(fs, folder, "eval_input_path", job.eval_input_path()));
  }
  AP_RETURN_IF_ERROR(ReadVocabularyFiles(job, folder, fs, plan.features));
  FitPass fit(job);
  AP_ASSIGN_OR_RETURN(const std::vector<Partition> train,
                      CutFiles(job, folder, train_files, fs, fit.is_needed() ? &fit : nullptr));
  AP_RETURN_IF_ERROR(fit.Finish(plan.features));
  AP_ASSIGN_OR_RETURN(const std::vector<Partition> eval,
                      CutFiles(job, folder, eval_files, fs, nullptr));
  plan.train_records = CountRecords(train);
  plan.eval_records = CountRecords(eval);
  AP_RETURN_IF_ERROR(CheckPartitionCount(job, train.size(), eval.size()));
  const uint32_t epochs = job.data_config().num_epochs();
  for (uint32_t epoch = 0; epoch < epochs && !train.empty(); ++epoch) {
    AddStage(train, Partition::TRAIN, epoch, plan.partitions);
    if (when == EvalConfig::EACH_EPOCH || epoch + 1 == epochs) {
      AddStage(eval, Partition::EVAL, epoch, plan.partitions);
    }
  }
  if (!streams.empty()) {
    AddStage(streams, Partition::TRAIN, epochs, plan.partitions);
    AddStage(eval, Partition::EVAL, epochs, plan.partitions);
  }
  return plan;
}

}  // namespace antiphon
